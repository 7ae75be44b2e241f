package warehouse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/event"
)

// withoutKept removes from what did not fit of an input what discards has
// already: an imported state may come again, and its discards must not.
func withoutKept(ctx context.Context, tx pgx.Tx, in *input) error {
	discards := table{in.row.table.schema, discardsTable}
	rows, err := tx.Query(ctx, "select coalesce(column_name, ''), coalesce(column_value, ''), coalesce(reason, '') from "+discards.quoted()+
		" where table_name = $1 and row_id = $2", in.row.table.name, in.row.id)
	if err != nil {
		return &tableError{discards, err}
	}
	kept, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v lost, err error) {
		return v, row.Scan(&v.column, &v.value, &v.reason)
	})
	if err != nil {
		return &tableError{discards, err}
	}
	in.lost = slices.DeleteFunc(in.lost, func(v lost) bool { return slices.Contains(kept, v) })
	return nil
}

// insertDiscards keeps the values that did not get into their columns, each
// with its place and reason. Only new rows have any, so that a repeated event
// adds none.
func (l *Loader) insertDiscards(ctx context.Context, tx pgx.Tx, fresh []*input) error {
	if err := l.checkMisfits(ctx, tx, fresh); err != nil {
		return err
	}
	bySchema := make(map[string][]*input)
	for _, in := range fresh {
		for _, v := range in.lost {
			schema := in.row.table.schema
			bySchema[schema] = append(bySchema[schema], &input{values: []entry{ // in the order of columns
				{"column_name", v.column},
				{"column_value", v.value},
				{"reason", v.reason},
				{"received_at", event.FormatTime(in.item.event.ReceivedAt)},
				{"row_id", in.row.id},
				{"table_name", in.row.table.name},
			}})
		}
	}
	for _, schema := range slices.SortedFunc(maps.Keys(bySchema), strings.Compare) {
		t := table{schema, discardsTable}
		if err := copyIn(ctx, tx, t, bySchema[schema]); err != nil {
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

// Discards counts the values in the discards of all schemas of a database, by
// column and reason.
func Discards(ctx context.Context, url string) ([]DiscardCount, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("reach warehouse: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	const schemasQuery = `
		select table_schema from information_schema.columns where table_name = $1 and column_name = 'column_value' order by 1`
	rows, err := conn.Query(ctx, schemasQuery, discardsTable)
	if err != nil {
		return nil, fmt.Errorf("look for discards: %w", err)
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look for discards: %w", err)
	}
	var counts []DiscardCount
	for _, schema := range schemas {
		rows, err := conn.Query(ctx, fmt.Sprintf(`select coalesce(table_name, ''), coalesce(column_name, ''), coalesce(reason, ''), count(*)
			from %s group by 1, 2, 3 order by 1, 2, 3`, table{schema, discardsTable}.quoted()))
		if err != nil {
			return nil, fmt.Errorf("count discards of %s: %w", schema, err)
		}
		more, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (DiscardCount, error) {
			c := DiscardCount{Schema: schema}
			return c, row.Scan(&c.Table, &c.Column, &c.Reason, &c.Values)
		})
		if err != nil {
			return nil, fmt.Errorf("count discards of %s: %w", schema, err)
		}
		counts = append(counts, more...)
	}
	return counts, nil
}
