package warehouse

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// loss is a value that did not get into the column of a row.
type loss struct {
	row *row
	lost
}

// withoutKept removes from discards of a row those that are kept already: an
// imported state may come again, and its discards must not.
func (in *insertion) withoutKept(ctx context.Context, r *row, all []loss) ([]loss, error) {
	discards := table{r.table.schema, in.shape.discards}
	rows, err := in.tx.Query(ctx, "select coalesce(column_name, ''), coalesce(column_value, ''), coalesce(reason, '') from "+discards.quoted()+
		" where table_name = $1 and row_id = $2", r.table.name, r.id)
	if err != nil {
		return nil, &tableError{discards, err}
	}
	kept, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v lost, err error) {
		return v, row.Scan(&v.column, &v.value, &v.reason)
	})
	if err != nil {
		return nil, &tableError{discards, err}
	}
	return slices.DeleteFunc(all, func(d loss) bool { return d.row == r && slices.Contains(kept, d.lost) }), nil
}

// copyDiscards keeps the values that did not get into their columns, each with
// its place and reason. Only new rows have any, so that a repeated event adds
// none.
func (in *insertion) copyDiscards(ctx context.Context) error {
	if err := in.checkMisfits(ctx); err != nil {
		return err
	}
	bySchema := make(map[string]*tuples)
	for _, d := range in.discards {
		schema := d.row.table.schema
		into := bySchema[schema]
		if into == nil {
			into = newTuples(in.catalog.relation(table{schema, in.shape.discards}), nil)
			bySchema[schema] = into
		}
		if to := into.target("uuid_ts"); to.exists {
			into.set(to, in.stamps[schema])
		}
		_, losers := into.fit(&row{own: cells{
			{"table_name", value{kind: text, text: d.row.table.name}},
			{"row_id", value{kind: text, text: d.row.id}},
			{"column_name", value{kind: text, text: d.column}},
			{"column_value", value{kind: text, text: d.value}},
			{"reason", value{kind: text, text: d.reason}},
			{"received_at", timeValue(d.row.receivedAt)},
		}})
		if losers != nil { // somebody made it otherwise
			return &tableError{table{schema, in.shape.discards}, errStale}
		}
		into.end()
	}
	for _, schema := range slices.Sorted(maps.Keys(bySchema)) {
		t := table{schema, in.shape.discards}
		if err := bySchema[schema].copyTo(ctx, in.tx, t, func() {}); err != nil {
			return &tableError{t, err}
		}
	}
	return nil
}

// DiscardCount says how many values did not get into a column.
type DiscardCount struct {
	Schema, Table, Column string
	// Reason is why, a stable code.
	Reason string
	Values int64
}

// Repairable says whether a repair of the column may put the values in. Another
// type helps nobody who has no column of their own.
func (c DiscardCount) Repairable() bool { return !slices.Contains(unrepairable, c.Reason) }

// unrepairable are the reasons of values that were never those of the column.
var unrepairable = []string{lostCollision, lostName, lostTable}

// Discards counts the values in the discards of all schemas of a database, by
// column and reason.
func Discards(ctx context.Context, url string) ([]DiscardCount, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("reach warehouse: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	const tablesQuery = `
		select table_schema, table_name from information_schema.columns
		where table_name = any($1) and column_name = 'column_value' order by 1, 2`
	rows, err := conn.Query(ctx, tablesQuery, []string{discardsTable, rudderDiscards})
	if err != nil {
		return nil, fmt.Errorf("look for discards: %w", err)
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t table, err error) {
		return t, row.Scan(&t.schema, &t.name)
	})
	if err != nil {
		return nil, fmt.Errorf("look for discards: %w", err)
	}
	var counts []DiscardCount
	for _, t := range tables {
		rows, err := conn.Query(ctx, fmt.Sprintf(`select coalesce(table_name, ''), coalesce(column_name, ''), coalesce(reason, ''), count(*)
			from %s group by 1, 2, 3 order by 1, 2, 3`, t.quoted()))
		if err != nil {
			return nil, fmt.Errorf("count discards of %s: %w", t.schema, err)
		}
		more, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (DiscardCount, error) {
			c := DiscardCount{Schema: t.schema}
			return c, row.Scan(&c.Table, &c.Column, &c.Reason, &c.Values)
		})
		if err != nil {
			return nil, fmt.Errorf("count discards of %s: %w", t.schema, err)
		}
		counts = append(counts, more...)
	}
	return counts, nil
}
