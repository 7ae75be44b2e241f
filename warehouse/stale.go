package warehouse

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// errStale is the error of a load whose catalog has another type for a column than
// the column has, or where the column has a type that it should not have.
var errStale = errors.New("a column has another type by now")

// typesQuery returns the types of columns.
const typesQuery = `
select c.schema, c.name, c.column, format_type(a.atttypid, a.atttypmod)
from unnest($1::text[], $2::text[], $3::text[]) as c (schema, name, "column")
join pg_namespace n on n.nspname = c.schema
join pg_class r on r.relnamespace = n.oid and r.relname = c.name
join pg_attribute a on a.attrelid = r.oid and a.attname = c.column and not a.attisdropped`

// checkMisfits asks, before values are given up as misfits, whether the columns
// still have the types that they were cast to. A value that is refused by a type
// shows that by itself; one that would be taken by a wider type, as after a
// repair, does not.
func (in *insertion) checkMisfits(ctx context.Context) error {
	type place struct {
		table
		column string
	}
	asked := make(map[place]bool)
	var schemas, names, columns []string
	for _, d := range in.discards {
		p := place{d.row.table, d.column}
		if d.reason == lostMisfit && !asked[p] {
			asked[p] = true
			schemas, names, columns = append(schemas, p.schema), append(names, p.name), append(columns, p.column)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	rows, err := in.tx.Query(ctx, typesQuery, schemas, names, columns)
	if err != nil {
		return err
	}
	stale := false
	var p place
	var typ columnType
	_, err = pgx.ForEachRow(rows, []any{&p.schema, &p.name, &p.column, &typ}, func() error {
		stale = stale || in.catalog.relation(p.table).columns[p.column] != typ
		return nil
	})
	if err == nil && stale {
		err = errStale
	}
	return err
}
