package story

// Precision says how well a number of rows is known.
type Precision string

// The precisions of a Count.
const (
	Exact   Precision = "exact"
	About   Precision = "about"    // as the catalog of Postgres estimates it
	AtLeast Precision = "at least" // counting was ended there
)

// Count is a number of rows, as well as it can be known without reading all of
// them.
type Count struct {
	Rows      int64
	Precision Precision
}

// counted is the Count of rows that were counted up to one more than limit.
func counted(rows, limit int64) Count {
	if rows > limit {
		return Count{limit, AtLeast}
	}
	return Count{rows, Exact}
}

// estimatedRows is how many rows Postgres believes a table c of pg_class has: the
// density of the last analysis times today's pages, as its planner reckons, or
// before the first analysis what it has counted of inserts and deletions.
const estimatedRows = `(case when c.reltuples >= 0 and c.relpages > 0
	then c.reltuples / c.relpages * (pg_relation_size(c.oid) / current_setting('block_size')::int)
	else greatest(pg_stat_get_live_tuples(c.oid), 0) end)::bigint`
