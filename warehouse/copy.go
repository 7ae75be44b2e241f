package warehouse

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// input is a row as its table can hold it: for each column the text that
// Postgres reads. COPY takes text, so numbers keep every digit and any type of
// column is served.
type input struct {
	row  *row
	item *item
	// values are in the order of their columns; what is missing is null.
	values []entry
	// overflow are the cells for which the table has no column.
	overflow cells
	lost     []lost
}

// entry is what goes into a column.
type entry struct{ column, text string }

// find returns where a column is, or where it would be.
func (in *input) find(column string) (int, bool) {
	return slices.BinarySearchFunc(in.values, column, func(have entry, column string) int { return strings.Compare(have.column, column) })
}

// get returns what goes into a column, false for null.
func (in *input) get(column string) (string, bool) {
	i, ok := in.find(column)
	if !ok {
		return "", false
	}
	return in.values[i].text, true
}

// set puts a text into a column.
func (in *input) set(column, text string) {
	i, ok := in.find(column)
	if ok {
		in.values[i].text = text
		return
	}
	in.values = slices.Insert(in.values, i, entry{column, text})
}

// fit casts a row to the columns of its table. Of what does not fit nothing is
// lost: it goes to discards.
func fit(it *item, r *row, rel *relation) *input {
	in := &input{row: r, item: it, values: make([]entry, 0, len(r.cells)+1), lost: slices.Clone(r.lost)}
	for _, c := range r.cells {
		typ, exists := rel.columns[c.column]
		if !exists {
			in.overflow = append(in.overflow, c)
			continue
		}
		text, ok := typ.cast(c.value)
		if !ok {
			in.lost = append(in.lost, lost{c.column, c.value.text, lostMisfit})
			continue
		}
		in.values = append(in.values, entry{c.column, text})
	}
	in.setOverflow(rel)
	slices.SortStableFunc(in.lost, func(a, b lost) int { return strings.Compare(a.column, b.column) })
	return in
}

// columnsOf returns the columns that any of the inputs has a value for.
func columnsOf(inputs []*input) []string {
	seen := make(map[string]bool)
	for _, in := range inputs {
		for _, v := range in.values {
			if !seen[v.column] {
				seen[v.column] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// copyIn copies inputs into a table in COPY's text format.
func copyIn(ctx context.Context, tx pgx.Tx, t table, inputs []*input) error {
	if len(inputs) == 0 {
		return nil
	}
	filled := columnsOf(inputs)
	_, err := tx.Conn().PgConn().CopyFrom(ctx, &copyText{columns: filled, inputs: inputs},
		fmt.Sprintf("copy %s (%s) from stdin", t.quoted(), list(filled, "")))
	return err
}

// copyText reads as COPY's text format of inputs. It writes the next rows while
// Postgres works on the last.
type copyText struct {
	columns []string
	inputs  []*input // those that are still to be written
	buf     bytes.Buffer
}

// Read implements io.Reader.
func (c *copyText) Read(p []byte) (int, error) {
	for c.buf.Len() < len(p) && len(c.inputs) > 0 {
		c.write(c.inputs[0])
		c.inputs = c.inputs[1:]
	}
	return c.buf.Read(p)
}

func (c *copyText) write(in *input) {
	values := in.values
	for i, column := range c.columns {
		if i > 0 {
			c.buf.WriteByte('\t')
		}
		if len(values) == 0 || values[0].column != column {
			c.buf.WriteString(`\N`)
			continue
		}
		c.writeEscaped(values[0].text)
		values = values[1:]
	}
	c.buf.WriteByte('\n')
}

// writeEscaped escapes what COPY's text format wants escaped (postgres docs,
// COPY, "Text Format").
func (c *copyText) writeEscaped(text string) {
	written := 0
	for i := 0; i < len(text); i++ {
		var escaped string
		switch text[i] {
		case '\\':
			escaped = `\\`
		case '\n':
			escaped = `\n`
		case '\r':
			escaped = `\r`
		case '\t':
			escaped = `\t`
		default:
			continue
		}
		c.buf.WriteString(text[written:i])
		c.buf.WriteString(escaped)
		written = i + 1
	}
	c.buf.WriteString(text[written:])
}

// list writes column names for a statement, each behind prefix.
func list(names []string, prefix string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = prefix + quoteName(name)
	}
	return strings.Join(quoted, ", ")
}

// once returns the inputs in the order of their ids. An id that comes twice
// counts once, the first time. Sorted ids go to the key's index side by side.
func once(inputs []*input) []*input {
	seen := make(map[string]bool, len(inputs))
	unique := make([]*input, 0, len(inputs))
	for _, in := range inputs {
		if !seen[in.row.id] {
			seen[in.row.id] = true
			unique = append(unique, in)
		}
	}
	slices.SortFunc(unique, func(a, b *input) int { return strings.Compare(a.row.id, b.row.id) })
	return unique
}

// keys are the ids of inputs, as the key column of their table holds them, and
// null where it cannot.
func keys(inputs []*input) []*string {
	ids := make([]*string, len(inputs))
	for i, in := range inputs {
		if id, ok := in.get("id"); ok {
			ids[i] = &id
		}
	}
	return ids
}

// matchSQL returns a from clause for the rows r of a table whose ids are among
// $1, with their positions k.position.
func matchSQL(t table, rel *relation, locking string) string {
	return fmt.Sprintf("from unnest($1::text[]::%[1]s[]) with ordinality as k (id, position) "+
		"join (select * from %[2]s t where t.id = any($1::text[]::%[1]s[]) %[3]s) r on r.id = k.id",
		rel.columns["id"], t.quoted(), locking)
}

// newInputs returns the inputs of each table that it does not have yet. Nobody
// else writes into the tables meanwhile, so those can be copied straight into
// them, whether or not a table has a key. Looking first costs less than a
// staging table, and a row that is there is the exception.
func (l *Loader) newInputs(ctx context.Context, tx pgx.Tx, tables []table, inputs map[table][]*input) error {
	batch := &pgx.Batch{}
	for _, t := range tables {
		inputs[t] = once(inputs[t])
		sql := "select k.position::int - 1 " + matchSQL(t, l.catalog.relation(t), "")
		batch.Queue(sql, keys(inputs[t])).Query(func(rows pgx.Rows) error {
			known, err := pgx.CollectRows(rows, pgx.RowTo[int])
			if err != nil {
				return &tableError{t, err}
			}
			for _, position := range known {
				inputs[t][position] = nil
			}
			inputs[t] = slices.DeleteFunc(inputs[t], func(in *input) bool { return in == nil })
			return nil
		})
	}
	return tx.SendBatch(ctx, batch).Close()
}
