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

// stage copies inputs into a temporary table made like t, which goes with the
// transaction, and returns its name and the columns that are filled.
func stage(ctx context.Context, tx pgx.Tx, t table, inputs []*input, number int) (name string, filled []string, err error) {
	name = quoteName(fmt.Sprintf("verobridge_load_%d", number))
	if _, err := tx.Exec(ctx, fmt.Sprintf("create temp table %s (like %s) on commit drop", name, t.quoted())); err != nil {
		return "", nil, err
	}
	filled = columnsOf(inputs)
	return name, filled, copyIn(ctx, tx, name, filled, inputs)
}

// copyIn copies inputs into a table in COPY's text format.
func copyIn(ctx context.Context, tx pgx.Tx, into string, filled []string, inputs []*input) error {
	var b bytes.Buffer
	for _, in := range inputs {
		for i, column := range filled {
			if i > 0 {
				b.WriteByte('\t')
			}
			if text, ok := in.values[column]; ok {
				b.WriteString(copyEscapes.Replace(text))
			} else {
				b.WriteString(`\N`)
			}
		}
		b.WriteByte('\n')
	}
	_, err := tx.Conn().PgConn().CopyFrom(ctx, &b, fmt.Sprintf("copy %s (%s) from stdin", into, list(filled, "")))
	return err
}

// copyEscapes are what COPY's text format wants escaped (postgres docs, COPY,
// "Text Format").
var copyEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

// insertSQL moves staged rows into t, those whose id is not there yet, and
// returns their ids. A table that somebody else made without a key on id gets
// the same result by looking first.
func insertSQL(t table, staging string, filled []string, keyed bool) string {
	sql := fmt.Sprintf("insert into %s (%s) select %s from %s s ",
		t.quoted(), list(filled, ""), list(filled, "s."), staging)
	if keyed {
		sql += "on conflict (id) do nothing"
	} else {
		sql += fmt.Sprintf("where not exists (select from %s t where t.id = s.id)", t.quoted())
	}
	return sql + " returning id::text"
}

// list writes column names for a statement, each behind prefix.
func list(names []string, prefix string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = prefix + quoteName(name)
	}
	return strings.Join(quoted, ", ")
}

// insertRows inserts the inputs of one table and returns those that are new. An
// id that comes twice counts once, the first time.
func (l *Loader) insertRows(ctx context.Context, tx pgx.Tx, t table, inputs []*input, number int) ([]*input, error) {
	byID := make(map[string]*input, len(inputs))
	for _, in := range inputs {
		if _, twice := byID[in.row.id]; !twice {
			byID[in.row.id] = in
		}
	}
	once := make([]*input, 0, len(byID))
	for _, in := range inputs {
		if byID[in.row.id] == in {
			once = append(once, in)
		}
	}
	// Sorted ids go to the key's index side by side, and two loaders that write
	// the same ids cannot wait for one another.
	slices.SortFunc(once, func(a, b *input) int { return strings.Compare(a.row.id, b.row.id) })

	staging, filled, err := stage(ctx, tx, t, once, number)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, insertSQL(t, staging, filled, l.catalog.relation(t).keyed))
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	fresh := make([]*input, 0, len(ids))
	for _, id := range ids {
		// A column that is not text may write an id in another way than we do.
		if in, ok := byID[id]; ok {
			fresh = append(fresh, in)
		}
	}
	return fresh, nil
}
