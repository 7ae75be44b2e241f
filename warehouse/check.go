package warehouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/doctor"
)

// leastVersion is the oldest Postgres that is supported.
const leastVersion = 130000

// Check looks for what would keep the loader from working on a database, and
// says how to mend it. It changes nothing. The error says that the database
// cannot be reached or asked.
func Check(ctx context.Context, o Options) ([]doctor.Finding, error) {
	conn, err := pgx.Connect(ctx, o.URL)
	if err != nil {
		return nil, fmt.Errorf("reach warehouse: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	c := checker{conn: conn, findings: doctor.In("warehouse")}
	if err := conn.QueryRow(ctx, "select current_user, current_database()").Scan(&c.role, &c.database); err != nil {
		return nil, fmt.Errorf("ask warehouse: %w", err)
	}
	schemas := []string{ownSchema}
	for _, s := range o.Sources {
		schemas = append(schemas, schemaName(s.Name))
	}
	if slices.ContainsFunc(o.Sources, func(s Source) bool { return s.Vero }) {
		schemas = append(schemas, analyticsSchema)
	}
	for _, look := range []func() error{
		func() error { return c.server(ctx) },
		func() error { return c.durability(ctx) },
		func() error { return c.clock(ctx) },
		func() error { return c.schemas(ctx, schemas) },
		func() error { return c.tables(ctx, schemas) },
		func() error { return c.readers(ctx, o.Readers, schemas) },
	} {
		if err := look(); err != nil {
			return nil, fmt.Errorf("ask warehouse: %w", err)
		}
	}
	return c.findings.All(), nil
}

// checker collects findings on one database.
type checker struct {
	conn           *pgx.Conn
	role, database string
	findings       *doctor.Findings
}

// server looks at what the database is.
func (c *checker) server(ctx context.Context) error {
	var number int
	var version, encoding string
	var readOnly bool
	err := c.conn.QueryRow(ctx, `select current_setting('server_version_num')::int, current_setting('server_version'),
		current_setting('server_encoding'), pg_is_in_recovery() or current_setting('transaction_read_only')::bool`).
		Scan(&number, &version, &encoding, &readOnly)
	if err != nil {
		return err
	}
	if number < leastVersion {
		c.findings.Add(doctor.Error, "upgrade it to 13 or later", "Postgres %s is too old", version)
	} else {
		c.findings.OK("Postgres %s answers", version)
	}
	if encoding != "UTF8" {
		c.findings.Add(doctor.Error, "use a database that was created with encoding 'UTF8'", "the database has the encoding %s, which does not hold every character", encoding)
	}
	if readOnly {
		c.findings.Add(doctor.Error, "let warehouse.url lead to the primary, and check default_transaction_read_only", "the database is read-only")
	}
	return nil
}

// durability looks for settings with which a crash of the server loses rows
// that the bridge takes for loaded.
func (c *checker) durability(ctx context.Context) error {
	safe := true
	for _, s := range []struct{ name, cure string }{
		{"synchronous_commit", "alter role " + quoteName(c.role) + " set synchronous_commit = on;"},
		{"fsync", "alter system set fsync = on; select pg_reload_conf();"},
		{"full_page_writes", "alter system set full_page_writes = on; select pg_reload_conf();"},
	} {
		var value string
		if err := c.conn.QueryRow(ctx, "select current_setting($1)", s.name).Scan(&value); err != nil {
			return err
		}
		if value == "off" {
			safe = false
			c.findings.Add(doctor.Warning, s.cure, "%s is off: rows that count as loaded can be lost when the server crashes", s.name)
		}
	}
	if safe {
		c.findings.OK("what is committed survives a crash of the server")
	}
	return nil
}

// clock compares the server's clock with this machine's: analysts compare times
// of receipt with now().
func (c *checker) clock(ctx context.Context) error {
	asked := time.Now()
	var theirs time.Time
	if err := c.conn.QueryRow(ctx, "select clock_timestamp()").Scan(&theirs); err != nil {
		return err
	}
	c.findings.Clock("Postgres", theirs, asked, time.Now(), 0)
	return nil
}

// schemas looks for the rights to make schemas and tables.
func (c *checker) schemas(ctx context.Context, schemas []string) error {
	role := quoteName(c.role)
	var mayCreate bool
	if err := c.conn.QueryRow(ctx, "select has_database_privilege($1, 'CREATE')", c.database).Scan(&mayCreate); err != nil {
		return err
	}
	allowed := true
	for _, schema := range schemas {
		var exists, mayUse bool
		err := c.conn.QueryRow(ctx, `select count(*) > 0, coalesce(bool_and(has_schema_privilege(oid, 'USAGE')
			and ($1 = $2 or has_schema_privilege(oid, 'CREATE'))), false) from pg_namespace where nspname = $1`,
			schema, ownSchema).Scan(&exists, &mayUse)
		if err != nil {
			return err
		}
		switch {
		case exists && !mayUse:
			allowed = false
			c.findings.Add(doctor.Error, fmt.Sprintf("grant usage, create on schema %s to %s;", quoteName(schema), role),
				"%s may not make tables in schema %s", c.role, schema)
		case !exists && !mayCreate:
			allowed = false
			c.findings.Add(doctor.Error, fmt.Sprintf("grant create on database %s to %s;", quoteName(c.database), role),
				"%s may not make the schema %s, which does not exist yet", c.role, schema)
		}
	}
	if allowed {
		c.findings.OK("%s may make the schemas and tables it needs", c.role)
	}
	return nil
}

// tablesQuery lists tables with whether the role owns them, may write into
// them, and whether they have an id without a key.
const tablesQuery = `
select n.nspname, c.relname, pg_has_role(c.relowner, 'USAGE'),
       has_table_privilege(c.oid, 'SELECT') and has_table_privilege(c.oid, 'INSERT') and has_table_privilege(c.oid, 'UPDATE'),
       a.attnum is not null and not exists (
         select from pg_index i where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null
           and i.indnkeyatts = 1 and i.indkey[0] = a.attnum)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_attribute a on a.attrelid = c.oid and a.attname = 'id' and not a.attisdropped
where n.nspname = any($1) and c.relkind in ('r', 'p')
order by 1, 2`

// tables looks for tables of others that the loader cannot write into or alter,
// or only slowly.
func (c *checker) tables(ctx context.Context, schemas []string) error {
	rows, err := c.conn.Query(ctx, tablesQuery, schemas)
	if err != nil {
		return err
	}
	var t table
	var owned, writable, unkeyed bool
	usable, number := true, 0
	_, err = pgx.ForEachRow(rows, []any{&t.schema, &t.name, &owned, &writable, &unkeyed}, func() error {
		number++
		switch {
		case t.schema == ownSchema && !writable:
			usable = false
			c.findings.Add(doctor.Error, fmt.Sprintf("grant select, insert, update, delete on %s to %s;", t.quoted(), quoteName(c.role)),
				"%s may not write into table %s.%s", c.role, t.schema, t.name)
		case t.schema != ownSchema && !owned:
			usable = false
			c.findings.Add(doctor.Error, fmt.Sprintf("alter table %s owner to %s;", t.quoted(), quoteName(c.role)),
				"%s does not own table %s.%s, so it cannot add columns", c.role, t.schema, t.name)
		case t.schema != ownSchema && unkeyed:
			usable = false
			c.findings.Add(doctor.Warning, fmt.Sprintf("create unique index concurrently on %s (id);", t.quoted()),
				"table %s.%s has no unique index on id: loading gets slower as it grows", t.schema, t.name)
		}
		return nil
	})
	if err == nil && usable && number > 0 {
		c.findings.OK("%d tables are there, and %s can write into them and add columns", number, c.role)
	}
	return err
}

// readers looks whether the roles of analysts exist and may read what there is. A
// bridge that may grants it to them at its start.
func (c *checker) readers(ctx context.Context, readers, schemas []string) error {
	for _, reader := range readers {
		var exists bool
		if err := c.conn.QueryRow(ctx, "select exists (select from pg_roles where rolname = $1)", reader).Scan(&exists); err != nil {
			return err
		}
		if !exists {
			c.findings.Add(doctor.Warning, fmt.Sprintf("create role %s login;", quoteName(reader)), "reader %s does not exist", reader)
			continue
		}
		unreadable, err := c.unreadable(ctx, reader, schemas)
		if err != nil {
			return err
		}
		for _, schema := range unreadable {
			c.findings.Add(doctor.Warning, strings.Join(grants(schema, reader), "; ")+";", "reader %s may not read all of schema %s", reader, schema)
		}
		if len(unreadable) == 0 {
			c.findings.OK("reader %s exists, and may read what is there", reader)
		}
	}
	return nil
}

// unreadable returns the schemas that a reader may not use, or has a table in that
// it may not select from. verobridge's own is not for readers.
func (c *checker) unreadable(ctx context.Context, reader string, schemas []string) ([]string, error) {
	rows, err := c.conn.Query(ctx, `
		select n.nspname from pg_namespace n
		where n.nspname = any($2) and n.nspname <> $3 and (not has_schema_privilege($1, n.oid, 'USAGE') or exists (
			select from pg_class c where c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v') and not has_table_privilege($1, c.oid, 'SELECT')))
		order by 1`, reader, schemas, ownSchema)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
