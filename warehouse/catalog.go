package warehouse

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// maxColumns is Postgres' limit for a table. Dropped columns count.
const maxColumns = 1600

const (
	// DefaultMaxColumns is the default of Options.MaxColumns.
	DefaultMaxColumns = 300
	// MostColumns is the greatest one that makes sense.
	MostColumns = maxColumns - 1
)

// catalog is what we know of the schemas' tables. The database is the truth:
// tables that others made or altered are taken as they are, and the catalog is
// read again when a statement shows that it is out of date.
type catalog struct {
	schemas map[string]map[string]*relation
}

// relation is a table as it stands in the database.
type relation struct {
	columns columns
	// forms are the types of the columns that were asked for, and of those that
	// only Postgres writes the one that takes no value.
	forms map[string]form
	// attributes counts the columns, dropped ones included.
	attributes int
	// partition says that another table of the schema shows its rows, too.
	partition bool
	// keyed says whether id is unique. The loader's own tables are keyed.
	keyed bool
	// warned is set when operators were told that it is not.
	warned bool
}

// forget makes the catalog read everything anew.
func (c *catalog) forget() { c.schemas = make(map[string]map[string]*relation) }

// relation returns a table of a schema that was read, nil if it does not exist.
func (c *catalog) relation(t table) *relation { return c.schemas[t.schema][t.name] }

// form returns the type of a column taken apart, false if there is no such
// column.
func (r *relation) form(column string) (form, bool) {
	if f, ok := r.forms[column]; ok {
		return f, true
	}
	typ, ok := r.columns[column]
	if !ok {
		return form{}, false
	}
	if r.forms == nil {
		r.forms = make(map[string]form)
	}
	r.forms[column] = typ.form()
	return r.forms[column], true
}

// key returns an id as the key column holds it, nil if it cannot.
func (r *relation) key(id string) *string {
	f, _ := r.form("id")
	if in, ok := f.cast(value{kind: text, text: id}); ok {
		literal := in.literal()
		return &literal
	}
	return nil
}

// read makes sure that a schema is known. A schema that does not exist is
// known as nil.
func (c *catalog) read(ctx context.Context, db querier, schema string) (exists bool, err error) {
	if tables, known := c.schemas[schema]; known {
		return tables != nil, nil
	}
	tables, err := readSchema(ctx, db, schema)
	if err != nil {
		return false, fmt.Errorf("read catalog of schema %s: %w", schema, err)
	}
	c.schemas[schema] = tables
	return tables != nil, nil
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// catalogQuery lists a schema's tables with their columns. The first row is for
// the schema itself.
const catalogQuery = `
select '', '', '', false, false, false, false
from pg_namespace where nspname = $1
union all
select c.relname, a.attname, case when a.attisdropped then '' else format_type(a.atttypid, a.atttypmod) end, a.attisdropped,
       a.attgenerated <> '' or a.attidentity = 'a',
       exists (select from pg_index i
               where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null
                 and i.indnkeyatts = 1 and i.indkey[0] = k.attnum),
       exists (select from pg_inherits h join pg_class p on p.oid = h.inhparent
               where h.inhrelid = c.oid and p.relnamespace = c.relnamespace)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
left join pg_attribute k on k.attrelid = c.oid and k.attname = 'id' and not k.attisdropped
where n.nspname = $1 and c.relkind in ('r', 'p')
order by 1, 2`

// readSchema returns the tables of a schema, nil if there is no such schema.
func readSchema(ctx context.Context, db querier, schema string) (map[string]*relation, error) {
	rows, err := db.Query(ctx, catalogQuery, schema)
	if err != nil {
		return nil, err
	}
	var tables map[string]*relation
	var name, column string
	var typ columnType
	var dropped, generated, keyed, partition bool
	_, err = pgx.ForEachRow(rows, []any{&name, &column, &typ, &dropped, &generated, &keyed, &partition}, func() error {
		if name == "" {
			tables = make(map[string]*relation)
			return nil
		}
		r := tables[name]
		if r == nil {
			r = &relation{columns: columns{}, forms: make(map[string]form), keyed: keyed, partition: partition}
			tables[name] = r
		}
		r.attributes++
		if !dropped {
			r.columns[column] = typ
		}
		if generated {
			r.forms[column] = form{}
		}
		return nil
	})
	return tables, err
}
