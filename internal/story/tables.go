package story

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// ownSchema holds verobridge's own tables.
	ownSchema = "verobridge"
	// exactPages is how many pages, of 8 kB each, are read in all to count the rows
	// of small tables.
	exactPages = 2000
	// newestPages is how many pages at the end of a large table are read for its
	// newest row, and pageSlots how many rows a page has at most.
	newestPages, pageSlots = 2, 291
)

// Table is a table of the warehouse.
type Table struct {
	Schema, Name string
	Rows         Count
	// Bytes is its size on disk, with its indexes.
	Bytes int64
	// Newest is when its newest row was received, zero if nobody knows. Of a large
	// table it is that of the rows at its end, where new rows are put.
	Newest time.Time
	// Overflows says that it has the column _overflow, for values without a column
	// of their own.
	Overflows bool
	// Locked says that somebody keeps all readers out, as a repair does. Then Rows
	// and Bytes are those of the last analysis.
	Locked bool

	pages    int64
	received bool // it has a column received_at with times
}

// Schema is what the tables of a source, or verobridge's own, are in.
type Schema struct {
	Name string
	// Source is the name of the source, empty for verobridge's own.
	Source string
	// LoadedAt is when its last load was committed, zero if none was.
	LoadedAt time.Time
	Tables   []Table
}

// Bytes is the size of all its tables on disk.
func (s Schema) Bytes() (sum int64) {
	for _, t := range s.Tables {
		sum += t.Bytes
	}
	return sum
}

// TableReport is the state of the warehouse.
type TableReport struct {
	Schemas []Schema
	// SetAside counts the rows that Postgres refused for good. They are dead
	// letters of the loader.
	SetAside Count
}

// Tables returns the tables of all sources, and verobridge's own. Rows of large
// tables are estimated, from the catalog.
func (s *Store) Tables(ctx context.Context) (report TableReport, err error) {
	var names []string
	for _, source := range s.sources {
		report.Schemas = append(report.Schemas, Schema{Name: source.Schema, Source: source.Name})
		names = append(names, source.Schema)
	}
	report.Schemas = append(report.Schemas, Schema{Name: ownSchema})
	names = append(names, ownSchema)
	err = s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tables, err := readTables(ctx, tx, names)
		if err != nil {
			return err
		}
		if err := readRows(ctx, tx, tables); err != nil {
			return err
		}
		for i := range report.Schemas {
			schema := &report.Schemas[i]
			for _, t := range tables {
				if t.Schema == schema.Name {
					schema.Tables = append(schema.Tables, *t)
				}
			}
		}
		if err := readLoads(ctx, tx, report.Schemas); err != nil {
			return err
		}
		report.SetAside, err = countSetAside(ctx, tx)
		return err
	})
	if err != nil {
		return TableReport{}, fmt.Errorf("read tables: %w", err)
	}
	return report, nil
}

// readTables reads the catalog. It asks nothing that would wait for a table.
func readTables(ctx context.Context, tx pgx.Tx, schemas []string) ([]*Table, error) {
	rows, err := tx.Query(ctx, `
		with locked as materialized (
		  select distinct relation from pg_locks
		  where locktype = 'relation' and mode = 'AccessExclusiveLock'
		    and database = (select oid from pg_database where datname = current_database()))
		select n.nspname, c.relname, l.relation is not null,
		       case when l.relation is null then `+estimatedRows+` else greatest(c.reltuples, 0)::bigint end,
		       case when l.relation is null then pg_total_relation_size(c.oid) else c.relpages * current_setting('block_size')::bigint end,
		       case when l.relation is null then pg_relation_size(c.oid) / current_setting('block_size')::int else c.relpages end,
		       coalesce(bool_or(a.attname = '_overflow'), false),
		       coalesce(bool_or(a.attname = 'received_at' and a.atttypid = 'timestamptz'::regtype), false)
		from pg_class c
		join pg_namespace n on n.oid = c.relnamespace
		left join locked l on l.relation = c.oid
		left join pg_attribute a on a.attrelid = c.oid and a.attname in ('_overflow', 'received_at') and not a.attisdropped
		where n.nspname = any($1) and c.relkind = 'r' and has_table_privilege(c.oid, 'select')
		group by n.nspname, c.oid, l.relation order by n.nspname, c.relname`, schemas)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*Table, error) {
		t := &Table{Rows: Count{Precision: About}}
		return t, row.Scan(&t.Schema, &t.Name, &t.Locked, &t.Rows.Rows, &t.Bytes, &t.pages, &t.Overflows, &t.received)
	})
}

// readRows counts the rows of small tables, and finds the newest row of each.
func readRows(ctx context.Context, tx pgx.Tx, tables []*Table) error {
	bySize := slices.SortedStableFunc(slices.Values(tables), func(a, b *Table) int { return cmp.Compare(a.pages, b.pages) })
	var questions []string
	left := int64(exactPages)
	for i, t := range bySize {
		if t.Locked {
			continue
		}
		newest := "null::timestamptz"
		if t.received {
			newest = "max(received_at)"
		}
		name := pgx.Identifier{t.Schema, t.Name}.Sanitize()
		if left -= t.pages; left >= 0 {
			questions = append(questions, fmt.Sprintf("select %d as i, count(*) as n, %s from %s", i, newest, name))
		} else if t.received {
			questions = append(questions, fmt.Sprintf(`select %d, null::bigint, %s from %s where ctid = any(array(
				select format('(%%s,%%s)', page, slot)::tid from generate_series(%d, %d) page, generate_series(1, %d) slot))`,
				i, newest, name, max(0, t.pages-newestPages), t.pages-1, pageSlots))
		}
	}
	if len(questions) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, strings.Join(questions, " union all "))
	if err != nil {
		return err
	}
	var i int
	var n *int64
	var newest *time.Time
	_, err = pgx.ForEachRow(rows, []any{&i, &n, &newest}, func() error {
		if n != nil {
			bySize[i].Rows = Count{*n, Exact}
		}
		if newest != nil {
			bySize[i].Newest = *newest
		}
		return nil
	})
	return err
}

// readLoads finds when each schema was last loaded into.
func readLoads(ctx context.Context, tx pgx.Tx, schemas []Schema) error {
	rows, err := tx.Query(ctx, "select schema, uuid_ts from verobridge.loads")
	if err != nil {
		return err
	}
	var name string
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&name, &at}, func() error {
		for i := range schemas {
			if schemas[i].Name == name {
				schemas[i].LoadedAt = at
			}
		}
		return nil
	})
	return err
}

// countSetAside counts the loader's dead letters.
func countSetAside(ctx context.Context, tx pgx.Tx) (Count, error) {
	var rows int64
	err := tx.QueryRow(ctx, `select count(*) from (
		select from verobridge.deliveries where status = 'dead' and destination = 'warehouse' limit $1) d`, countRows+1).Scan(&rows)
	return counted(rows, countRows), err
}
