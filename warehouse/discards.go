package warehouse

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/event"
)

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
