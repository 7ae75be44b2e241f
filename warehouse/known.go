package warehouse

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// An event that comes again must change nothing. Its rows have the ids of those
// that are there, which the key of a table refuses. So a load copies rows as if
// all were new; only where a key refuses one, this load and those that follow
// look first: repeated events come together, when a program or its network broke
// off. A table without a key is always looked at.

// wariness is how many loads in a row look for known ids and find none before
// loads trust in keys again.
const wariness = 50

// isRepeat says whether a key refused a row.
func isRepeat(err error) bool { return sqlState(err) == "23505" }

// leaveOutRepeated leaves out rows that are there already, of the tables that are
// to be looked at. Nobody else writes into
// the tables meanwhile.
func (in *insertion) leaveOutRepeated(ctx context.Context) error {
	batch := &pgx.Batch{}
	for _, p := range in.parts {
		for _, r := range p.rows {
			r.fresh = true
		}
		if len(p.rows) == 0 || p.rel.keyed && in.wary == 0 {
			continue
		}
		sql := "select k.position::int - 1 " + matchSQL(p.table, p.rel, "")
		batch.Queue(sql, keys(p.rows, p.rel)).Query(func(rows pgx.Rows) error {
			known, err := pgx.CollectRows(rows, pgx.RowTo[int])
			if err != nil {
				return &tableError{p.table, err}
			}
			for _, position := range known {
				p.rows[position].fresh = false
				in.repeated = true
			}
			p.rows = slices.DeleteFunc(p.rows, func(r *row) bool { return !r.fresh })
			return nil
		})
	}
	if batch.Len() == 0 {
		return nil
	}
	return in.tx.SendBatch(ctx, batch).Close()
}

// keys are the ids of rows, as the key column of their table holds them, and
// null where it cannot.
func keys(rows []*row, rel *relation) []*string {
	ids := make([]*string, len(rows))
	for i, r := range rows {
		ids[i] = rel.key(r.id)
	}
	return ids
}

// matchSQL returns a from clause for the rows r of a table whose ids are among
// $1, with their positions k.position.
func matchSQL(t table, rel *relation, locking string) string {
	return fmt.Sprintf("from unnest($1::text[]::%[1]s[]) with ordinality as k (id, position) "+
		"join (select * from %[2]s t where t.id = any($1::text[]::%[1]s[]) %[3]s) r on r.id = k.id",
		rel.columns["id"], t.quoted(), locking)
}
