package warehouse

import (
	"context"
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
