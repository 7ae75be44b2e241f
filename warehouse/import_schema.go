package warehouse

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// SchemaSource is a schema that Segment, RudderStack or verobridge wrote.
type SchemaSource struct {
	// URL is its database.
	URL string
	// Schema is its name.
	Schema string
	// LeftOut is told of each table and column that is not imported, and why.
	LeftOut func(name, why string)
}

// rowBatch is how many rows are loaded before progress is kept.
const rowBatch = 5000

// schemaImport is an import from one schema.
type schemaImport struct {
	*Import
	from   SchemaSource
	conn   *pgx.Conn
	origin string // host/database/schema
	// renamed says that its shape is another than ours.
	renamed bool
	// here are the names that its tables have here.
	here map[string]string
}

// Schema imports the tables of another schema, which may be in another
// database. Columns get the types that they have there, where they do not have
// one here. A table that was broken off goes on behind its last id; one that was
// finished is read again, for what came since.
func (im *Import) Schema(ctx context.Context, from SchemaSource) (ImportCounts, error) {
	var counts ImportCounts
	if err := im.loader.Prepare(ctx); err != nil {
		return counts, err
	}
	config, err := pgx.ParseConfig(from.URL)
	if err != nil {
		return counts, fmt.Errorf("read the URL to import from: %w", err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // a pooler may sit in between
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return counts, fmt.Errorf("reach the database to import from: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	si := &schemaImport{Import: im, from: from, conn: conn, origin: originOf(conn.Config(), from.Schema), here: make(map[string]string)}
	if si.from.LeftOut == nil {
		si.from.LeftOut = func(string, string) {}
	}
	if si.origin == originOf(im.loader.pool.Config().ConnConfig, im.schema) {
		return counts, fmt.Errorf("schema %s cannot be imported into itself", from.Schema)
	}
	tables, err := readSchema(ctx, conn, from.Schema)
	if err != nil {
		return counts, fmt.Errorf("read schema %s: %w", from.Schema, err)
	}
	if tables == nil {
		return counts, fmt.Errorf("there is no schema %s in that database", from.Schema)
	}
	si.renamed = modeOf(tables) != im.loader.shape.mode
	maps.DeleteFunc(tables, func(_ string, rel *relation) bool { return rel.partition }) // read with their parents
	names := slices.SortedFunc(maps.Keys(tables), func(a, b string) int {
		if isDiscards(a) != isDiscards(b) { // they are about rows of the others
			if isDiscards(a) {
				return 1
			}
			return -1
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		n, err := si.table(ctx, name, tables[name])
		counts.Add(n)
		if err != nil {
			return counts, fmt.Errorf("import %s.%s: %w", from.Schema, name, err)
		}
	}
	return counts, nil
}

// originOf names a schema without the user and password that lead to it.
func originOf(c *pgx.ConnConfig, schema string) string {
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database + "/" + schema
}

// table imports one table.
func (si *schemaImport) table(ctx context.Context, name string, rel *relation) (ImportCounts, error) {
	switch {
	case isDiscards(name):
		return si.discards(ctx, name, rel)
	case rel.columns["id"] == "":
		si.from.LeftOut(name, "it has no column id")
		return ImportCounts{}, nil
	}
	if err := si.nameHere(ctx, name, rel); err != nil {
		return ImportCounts{}, err
	}
	t := si.plan(name, rel)
	tx, err := si.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return ImportCounts{}, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	// Values are read as Postgres writes them.
	if _, err := tx.Exec(ctx, "set local timezone = 'UTC'; set local datestyle = 'ISO'"); err != nil {
		return ImportCounts{}, err
	}
	return si.rows(ctx, tx, t)
}

// plan says how the rows of a table are read. uuid_ts is left to the load here.
func (si *schemaImport) plan(name string, rel *relation) *sourceTable {
	t := &sourceTable{table: table{si.from.Schema, name}, keyed: rel.keyed, shape: si.loader.shape, renamed: si.renamed}
	for _, column := range rel.columns.sorted() {
		switch {
		case column == "id" || column == "uuid_ts":
		case t.isState() && rudderUserColumns[column] != "" && t.standard()[column] == "":
			// Only RudderStack's users have the times of a call.
			si.from.LeftOut(name+"."+column, "it is that of the person's last call, which is in identifies")
		default:
			t.columns = append(t.columns, sourceColumn{column, rel.columns[column], si.columnHere(name, column)})
		}
	}
	t.columns = slices.Insert(t.columns, 0, sourceColumn{"id", rel.columns["id"], "id"})
	return t
}

// rows reads a table's rows in the order of their ids and loads them.
func (si *schemaImport) rows(ctx context.Context, tx pgx.Tx, t *sourceTable) (ImportCounts, error) {
	origin := si.origin + "/" + t.name
	s, err := si.state(ctx, origin)
	if err != nil {
		return s.counts, err
	}
	if s.finished {
		s = importState{}
	}
	total, err := si.total(ctx, tx, t)
	if err != nil {
		return s.counts, err
	}
	if s.position == "" {
		if err := si.withoutID(ctx, tx, t, origin, &s.counts); err != nil {
			return s.counts, err
		}
	}
	rows, err := tx.Query(ctx, t.query(s.position != ""), append([]any{pgx.QueryExecModeSimpleProtocol}, t.after(s.position)...)...)
	if err != nil {
		return s.counts, err
	}
	defer rows.Close()
	var last, next *item // the row before, and one that was read but is of the next batch
	for more := true; more; {
		suppressed, err := si.Erased(ctx)
		if err != nil {
			return s.counts, err
		}
		var items, losers []*item
		for {
			it := next
			if next = nil; it == nil {
				if more = rows.Next(); !more {
					break
				}
				it = t.item(si.Source, si.schema, rows.RawValues())
			}
			// Rows of one id stay together, for an import goes on behind an id.
			again := last != nil && it.event.ID == last.event.ID
			if len(items) >= rowBatch && !again {
				next = it
				break
			}
			s.counts.Read++
			s.position = it.event.ID
			switch {
			case suppressed(t.person(it)):
				s.counts.skip(string(delivery.ReasonSuppressed), 1)
			case !again || t.isState():
				items = append(items, it)
			case slices.Equal(it.cells(), last.cells()):
				s.counts.skip(reasonRepeated, 1)
			default:
				losers = append(losers, it)
			}
			if !again {
				last = it
			}
		}
		if err := rows.Err(); err != nil {
			return s.counts, err
		}
		if err := si.bringRows(ctx, t, origin, items, &s.counts); err != nil {
			return s.counts, err
		}
		if err := si.keepLosers(ctx, t, origin, losers, &s.counts); err != nil {
			return s.counts, err
		}
		if s.finished = !more; s.finished {
			s.counts.Unread = max(0, total-s.counts.Read)
			s.position = ""
		}
		if err := si.save(ctx, origin, s); err != nil {
			return s.counts, err
		}
		si.Progress(ImportProgress{Origin: origin, Read: s.counts.Read, Total: total})
	}
	return s.counts, nil
}

// bringRows loads rows into tables that have all of their columns.
func (si *schemaImport) bringRows(ctx context.Context, t *sourceTable, origin string, items []*item, counts *ImportCounts) error {
	batch := make([]candidate, len(items))
	fitted := make(map[string]bool)
	for i, it := range items {
		batch[i] = candidate{item: it, place: "a row of " + si.from.Schema + "." + t.name, raw: it.json}
		if name := it.tableName(); !fitted[name] {
			fitted[name] = true
			if err := si.fitTable(ctx, t, table{si.schema, name}); err != nil {
				return err
			}
		}
	}
	return si.bring(ctx, origin, batch, counts)
}

// fitTable makes a table here that has the columns of one there, with their
// types, and waits where somebody holds a lock on it.
func (si *schemaImport) fitTable(ctx context.Context, t *sourceTable, into table) error {
	evolve := func() error {
		si.loader.mu.Lock()
		defer si.loader.mu.Unlock()
		source := si.loader.source(si.Source)
		return si.loader.evolve(ctx, into, need{source: source, standard: t.standard(), columns: t.types()})
	}
	since := si.loader.now()
	for {
		err := evolve()
		if err == nil || judge(err).verdict != verdictLocked || si.loader.now().Sub(since) >= si.Patience {
			return err
		}
		si.Progress(ImportProgress{Origin: si.origin + "/" + t.name, Waiting: err})
		select {
		case <-time.After(min(time.Second, si.Patience)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// total counts what there is to read.
func (si *schemaImport) total(ctx context.Context, tx pgx.Tx, t *sourceTable) (n int64, err error) {
	err = tx.QueryRow(ctx, "select count(*) from "+t.quoted()).Scan(&n)
	return n, err
}

// withoutID sets aside the rows that cannot be told apart.
func (si *schemaImport) withoutID(ctx context.Context, tx pgx.Tx, t *sourceTable, origin string, counts *ImportCounts) error {
	suppressed, err := si.Erased(ctx)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, fmt.Sprintf("select %s from %s where id is null or id::text = ''", t.names(), t.quoted()), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return err
	}
	defer rows.Close()
	why := &event.RejectError{Reason: reasonNoID, Detail: "the row has no id"}
	var batch []candidate
	for rows.Next() {
		it := t.item(si.Source, si.schema, rows.RawValues())
		counts.Read++
		if suppressed(t.person(it)) {
			counts.skip(string(delivery.ReasonSuppressed), 1)
			continue
		}
		counts.reject(reasonNoID, 1)
		batch = append(batch, candidate{item: si.rejected(it.json(), si.from.Schema+"."+t.name, why)})
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return si.bring(ctx, origin, batch, counts)
}

// keepLosers sets aside rows whose id another row has, with other contents.
func (si *schemaImport) keepLosers(ctx context.Context, t *sourceTable, origin string, losers []*item, counts *ImportCounts) error {
	why := &event.RejectError{Reason: reasonDuplicateID, Detail: "another row with the same id was imported, which was received later or comes first"}
	batch := make([]candidate, len(losers))
	for i, it := range losers {
		batch[i] = candidate{item: si.rejected(it.json(), si.from.Schema+"."+t.name, why)}
		counts.reject(reasonDuplicateID, 1)
	}
	return si.bring(ctx, origin, batch, counts)
}

// The reasons of rows that are not imported as they are.
const (
	reasonNoID        = "no_id"        // the row has none, or an empty one
	reasonDuplicateID = "duplicate_id" // another row has its id, and other contents
	reasonRepeated    = "repeated_row" // another row is equal in all columns
)

// query selects the rows that have an id, in the order of their ids. Where ids
// repeat, as RudderStack's may, the row received last comes first; of people it
// comes last, for all count, and each may have other traits.
func (t *sourceTable) query(resumed bool) string {
	order := "id"
	if !t.keyed {
		if t.has("received_at") {
			order = "id, received_at desc nulls last"
			if t.isState() {
				order = "id, received_at"
			}
		}
		order += ", t::text" // the same at each import
	}
	after := ""
	if resumed {
		after = fmt.Sprintf(" and id > $1::%s", t.columns[0].typ)
	}
	return fmt.Sprintf("select %s from %s t where id::text <> ''%s order by %s", t.names(), t.quoted(), after, order)
}

// names are the names of the columns, for a statement.
func (t *sourceTable) names() string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return list(names)
}

// after are the arguments of query.
func (t *sourceTable) after(position string) []any {
	if position == "" {
		return nil
	}
	return []any{position}
}

// tableName returns the name of the table of an item with one row.
func (it *item) tableName() string {
	if it.record.state != nil {
		return it.record.state.table.name
	}
	return it.record.rows[0].table.name
}
