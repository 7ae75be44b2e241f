package story

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// The tables of values that did not fit, in Segment's shape and in RudderStack's.
var discardTables = []string{"discards", "rudder_discards"}

// Discard counts the values that did not get into a column for one reason.
type Discard struct {
	Schema, Table, Column string
	// Type is the column's in Postgres, empty where there is no such column.
	Type string
	// Reason is a stable code, such as type_mismatch.
	Reason string
	Values int64
	// Sample is one of the values, cut off where it is long.
	Sample string
	// Newest is when the newest was received, zero if nobody knows.
	Newest time.Time
}

// Discards counts the values that did not fit their columns, by column and reason.
// All of them are read, so the answer may be some time old.
func (s *Store) Discards(ctx context.Context) (Snapshot[[]Discard], error) {
	return s.discards.get(ctx)
}

func (s *Store) readDiscards(ctx context.Context) (all []Discard, err error) {
	var schemas []string
	for _, source := range s.sources {
		schemas = append(schemas, source.Schema)
	}
	err = s.readSlowly(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
			where n.nspname = any($1) and c.relname = any($2) and c.relkind = 'r' order by 1, 2`, schemas, discardTables)
		if err != nil {
			return err
		}
		tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Table, err error) {
			return t, row.Scan(&t.Schema, &t.Name)
		})
		if err != nil {
			return err
		}
		for _, t := range tables {
			found, err := readDiscardsOf(ctx, tx, t)
			if err != nil {
				return fmt.Errorf("%s.%s: %w", t.Schema, t.Name, err)
			}
			all = append(all, found...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count discards: %w", err)
	}
	return all, nil
}

func readDiscardsOf(ctx context.Context, tx pgx.Tx, t Table) ([]Discard, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(`
		select coalesce(d.table_name, ''), coalesce(d.column_name, ''), coalesce(d.reason, ''), d.n, coalesce(d.sample, ''), d.newest,
		       coalesce(format_type(a.atttypid, a.atttypmod), '')
		from (select table_name, column_name, reason, count(*) as n, min(left(column_value, 100)) as sample, max(received_at)::timestamptz as newest
		      from %s group by 1, 2, 3) d
		left join pg_namespace s on s.nspname = $1
		left join pg_class c on c.relnamespace = s.oid and c.relname = d.table_name
		left join pg_attribute a on a.attrelid = c.oid and a.attname = d.column_name and not a.attisdropped
		order by d.n desc, 1, 2, 3`, pgx.Identifier{t.Schema, t.Name}.Sanitize()), t.Schema)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Discard, error) {
		d := Discard{Schema: t.Schema}
		var newest *time.Time
		err := row.Scan(&d.Table, &d.Column, &d.Reason, &d.Values, &d.Sample, &newest, &d.Type)
		if newest != nil {
			d.Newest = *newest
		}
		return d, err
	})
}
