package warehouse

import (
	"bytes"
	"context"
	"fmt"
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
	// values by column; what is missing is null.
	values map[string]string
	lost   []lost
}

// fit casts a row to the columns of its table. Of what does not fit nothing is
// lost: it goes to discards.
func fit(it *item, r *row, rel *relation) *input {
	in := &input{row: r, item: it, values: make(map[string]string, len(r.cells)+1), lost: slices.Clone(r.lost)}
	for column, v := range r.cells {
		typ, exists := rel.columns[column]
		if !exists {
			in.lost = append(in.lost, lost{column, v.text, lostFull})
			continue
		}
		text, ok := typ.cast(v)
		if !ok {
			in.lost = append(in.lost, lost{column, v.text, lostMisfit})
			continue
		}
		in.values[column] = text
	}
	slices.SortFunc(in.lost, func(a, b lost) int { return strings.Compare(a.column, b.column) })
	return in
}

// columnsOf returns the columns that any of the inputs has a value for.
func columnsOf(inputs []*input) []string {
	seen := columns{}
	for _, in := range inputs {
		for column := range in.values {
			seen[column] = typeText
		}
	}
	return seen.sorted()
}

// copyIn copies inputs into a table in COPY's text format.
func copyIn(ctx context.Context, tx pgx.Tx, t table, inputs []*input) error {
	if len(inputs) == 0 {
		return nil
	}
	filled := columnsOf(inputs)
	var b bytes.Buffer
	for _, in := range inputs {
		for i, column := range filled {
			if i > 0 {
				b.WriteByte('\t')
			}
			if text, ok := in.values[column]; ok {
				writeEscaped(&b, text)
			} else {
				b.WriteString(`\N`)
			}
		}
		b.WriteByte('\n')
	}
	_, err := tx.Conn().PgConn().CopyFrom(ctx, &b, fmt.Sprintf("copy %s (%s) from stdin", t.quoted(), list(filled, "")))
	return err
}

// writeEscaped writes what COPY's text format wants escaped (postgres docs,
// COPY, "Text Format").
func writeEscaped(b *bytes.Buffer, text string) {
	for {
		i := strings.IndexAny(text, "\\\n\r\t")
		if i < 0 {
			b.WriteString(text)
			return
		}
		b.WriteString(text[:i])
		b.WriteByte('\\')
		switch text[i] {
		case '\n':
			b.WriteByte('n')
		case '\r':
			b.WriteByte('r')
		case '\t':
			b.WriteByte('t')
		default:
			b.WriteByte('\\')
		}
		text = text[i+1:]
	}
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
		if id, ok := in.values["id"]; ok {
			ids[i] = &id
		}
	}
	return ids
}

// knownSQL returns which of the ids a table has already, by their positions.
func knownSQL(t table, rel *relation) string {
	return fmt.Sprintf("select k.position::int - 1 from unnest($1::text[]::%s[]) with ordinality as k (id, position) "+
		"where exists (select from %s t where t.id = k.id)", rel.columns["id"], t.quoted())
}

// newInputs returns the inputs of each table that it does not have yet. Nobody
// else writes into the tables meanwhile, so those can be copied straight into
// them, whether or not a table has a key. Looking first costs less than a
// staging table, and a row that is there is the exception.
func (l *Loader) newInputs(ctx context.Context, tx pgx.Tx, tables []table, inputs map[table][]*input) error {
	batch := &pgx.Batch{}
	for _, t := range tables {
		inputs[t] = once(inputs[t])
		batch.Queue(knownSQL(t, l.catalog.relation(t)), keys(inputs[t])).Query(func(rows pgx.Rows) error {
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
