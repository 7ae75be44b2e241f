package warehouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ddlLock is the advisory lock under which schemas and tables are made, so that
// of two loaders on one database the second is told "exists already" rather than
// a unique violation in Postgres' own tables ("vbwh").
const ddlLock = 0x76627768

// evolve makes the schema and tables fit: it adds what is missing and changes
// nothing that is there. Each table is a transaction of its own, because an
// ALTER TABLE waits for all who use the table, and others wait behind it.
func (l *Loader) evolve(ctx context.Context, t table, n need) error {
	if t.schema == ownSchema {
		if l.catalog.relation(t) == nil {
			return errOwnTableGone
		}
		return nil
	}
	exists, err := l.catalog.read(ctx, l.pool, t.schema)
	if err != nil {
		return err
	}
	if !exists {
		if err := l.createSchema(ctx, t.schema); err != nil {
			return fmt.Errorf("create schema %s: %w", t.schema, err)
		}
		l.catalog.schemas[t.schema] = make(map[string]*relation)
	}
	if r := l.catalog.relation(t); r == nil {
		err = l.createTable(ctx, t, n)
	} else {
		l.warnIfUnkeyed(ctx, t, r, n)
		err = l.addColumns(ctx, t, r, n)
	}
	if err != nil {
		return &tableError{t, err}
	}
	return nil
}

// createTable makes a table with its standard and known columns and those that
// the batch has values for.
func (l *Loader) createTable(ctx context.Context, t table, n need) error {
	r := &relation{columns: columns{}, keyed: true}
	wanted := n.standard.and(l.shape.tablesOf(n.source)[t.name])
	definitions := make([]string, 0, len(wanted)+len(n.columns))
	define := func(column string, typ columnType) {
		if r.columns[column] != "" {
			return
		}
		definition := quoteName(column) + " " + string(typ)
		if column == "id" {
			definition += " primary key"
		}
		definitions = append(definitions, definition)
		r.columns[column] = typ
		r.attributes++
	}
	// Segment's order: id, received_at, uuid_ts, then the alphabet.
	for _, column := range slices.Concat([]string{"id", "received_at", "uuid_ts"}, wanted.sorted()) {
		if typ, ok := wanted[column]; ok {
			define(column, typ)
		}
	}
	more := l.fitting(ctx, t, r, n)
	for _, column := range more.sorted() {
		define(column, more[column])
	}
	if err := l.ddl(ctx, fmt.Sprintf("create table %s (%s)", t.quoted(), strings.Join(definitions, ", "))); err != nil {
		return err
	}
	l.catalog.schemas[t.schema][t.name] = r
	return nil
}

// warnIfUnkeyed says once that a table that somebody else made has no key: rows
// are still written once, but looking for them takes longer and longer.
func (l *Loader) warnIfUnkeyed(ctx context.Context, t table, r *relation, n need) {
	if _, hasID := n.standard["id"]; hasID && !r.keyed && !r.warned {
		r.warned = true
		l.logger.WarnContext(ctx, "table has no unique index on id; create one, or loading gets slow",
			"schema", t.schema, "table", t.name)
	}
}

// addColumns adds what is missing, in one statement.
func (l *Loader) addColumns(ctx context.Context, t table, r *relation, n need) error {
	added := l.fitting(ctx, t, r, n)
	var clauses []string
	for _, column := range added.sorted() {
		clauses = append(clauses, "add column if not exists "+quoteName(column)+" "+string(added[column]))
	}
	if len(added) == 0 {
		return nil
	}
	if err := l.ddl(ctx, "alter table "+t.quoted()+" "+strings.Join(clauses, ", ")); err != nil {
		return err
	}
	for column, typ := range added {
		r.columns[column] = typ
		r.attributes++
	}
	return nil
}

// fitting returns the columns to add to a table: the standard ones, as long as
// Postgres takes them, then others, as long as there is room. Where there is
// not, the rest shares the overflow.
func (l *Loader) fitting(ctx context.Context, t table, r *relation, n need) columns {
	added := columns{}
	for _, column := range n.standard.sorted() {
		if r.columns[column] == "" && r.attributes+len(added) < maxColumns {
			added[column] = l.shape.typeOf(n.source, t, n.standard, column, "")
		}
	}
	room := r.room(l.maxColumns) - len(added)
	for _, column := range n.columns.sorted() {
		switch {
		case r.columns[column] != "" || added[column] != "":
		case room > 0:
			added[column] = l.shape.typeOf(n.source, t, n.standard, column, n.columns[column])
			room--
		case r.columns[overflowColumn] == "" && r.attributes+len(added) < maxColumns:
			added[overflowColumn] = typeJSONB
			l.logger.WarnContext(ctx, "table has as many columns as it gets; further values go to its column _overflow",
				"schema", t.schema, "table", t.name, "columns", len(r.columns))
			return added
		}
	}
	return added
}

// createSchema makes a schema and lets the readers read what is in it and what
// will be.
func (l *Loader) createSchema(ctx context.Context, schema string) error {
	if err := l.ddl(ctx, "create schema "+quoteName(schema)); err != nil {
		return err
	}
	return l.grant(ctx, schema)
}

// grant lets the readers read a schema's tables, those of later too. A reader
// that does not exist is no reason to load nothing.
func (l *Loader) grant(ctx context.Context, schema string) error {
	for _, reader := range l.readers {
		var exists bool
		err := l.pool.QueryRow(ctx, "select exists (select from pg_roles where rolname = $1)", reader).Scan(&exists)
		if err != nil {
			return err
		}
		if !exists {
			l.logger.WarnContext(ctx, "reader does not exist; create the role, then start again", "role", reader)
			continue
		}
		err = l.ddl(ctx, grants(schema, reader)...)
		if err != nil {
			return fmt.Errorf("grant to reader %s: %w", reader, err)
		}
	}
	return nil
}

// grants let a reader read all of a schema, what will be made in it too.
func grants(schema, reader string) []string {
	in, to := quoteName(schema), quoteName(reader)
	return []string{
		"grant usage on schema " + in + " to " + to,
		"grant select on all tables in schema " + in + " to " + to,
		"alter default privileges in schema " + in + " grant select on tables to " + to,
	}
}

// ddl runs statements in a transaction of their own, waiting for locks no
// longer than the lock timeout.
func (l *Loader) ddl(ctx context.Context, statements ...string) error {
	return pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, l.boundLocks()); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", ddlLock); err != nil {
			return err
		}
		for _, sql := range statements {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// boundLocks makes a transaction give up on locks that others hold for long.
func (l *Loader) boundLocks() string {
	return fmt.Sprintf("set local lock_timeout = %d", l.lockTimeout.Milliseconds())
}

// tableError is an error of one table.
type tableError struct {
	table table
	err   error
}

func (e *tableError) Error() string {
	return fmt.Sprintf("table %s.%s: %v", e.table.schema, e.table.name, e.err)
}

func (e *tableError) Unwrap() error { return e.err }

func (t table) quoted() string { return pgx.Identifier{t.schema, t.name}.Sanitize() }

func quoteName(name string) string { return pgx.Identifier{name}.Sanitize() }
