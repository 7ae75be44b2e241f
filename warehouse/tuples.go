package warehouse

import (
	"encoding/binary"
	"slices"
)

// tuples are rows for a table in COPY's binary format. A row has the columns
// that came up until it was written; those that came up later are null in it.
type tuples struct {
	rel     *relation
	targets map[string]*target // by column, nil if the table does not have it
	// columns are those that came up.
	columns []*target
	// next is the row that is being written, an input for each of columns.
	next   []input
	fields []byte
	rows   []extent
}

// target is a column of the table.
type target struct {
	column string
	form   form
	// place is where it is among the columns that came up, -1 if it did not.
	place int
}

// input is what form.cast made for a column, nothing if it is not set.
type input struct {
	text string
	set  bool
}

// extent says how many bytes of the fields a row has, and how many columns.
type extent struct{ size, columns int }

// newTuples begins rows for a table. They are written into buf, in place of what
// is there.
func newTuples(rel *relation, buf []byte) *tuples {
	return &tuples{rel: rel, targets: make(map[string]*target), fields: buf[:0]}
}

// fit casts a row to the columns of its table. Of what does not fit nothing is
// lost: it goes to discards. The values for which there is no column are put
// into the overflow, and returned, too.
func (t *tuples) fit(r *row) (overflow, []lost) {
	losers := slices.Clip(r.lost)
	var over overflow
	for _, some := range [...]cells{r.common, r.own} {
		for i := range some {
			c := &some[i]
			exists, fits := t.set(c)
			switch {
			case !exists && over == nil:
				over = overflow{c.column: c.value}
			case !exists:
				over[c.column] = c.value
			case !fits:
				losers = append(losers, lost{c.column, c.value.text, lostMisfit})
			}
		}
	}
	if over == nil {
		return nil, losers
	}
	if _, fits := t.set(&cell{overflowColumn, over.json()}); !fits {
		return nil, append(losers, over.losers()...)
	}
	return over, losers
}

// set casts a value to a column of the row that is being written.
func (t *tuples) set(c *cell) (exists, fits bool) {
	to := t.target(c.column)
	if to == nil {
		return false, false
	}
	text, fits := to.form.cast(c.value)
	if fits {
		t.put(to, text)
	}
	return true, fits
}

func (t *tuples) target(column string) *target {
	to, known := t.targets[column]
	if !known {
		if f, exists := t.rel.form(column); exists {
			to = &target{column, f, -1}
		}
		t.targets[column] = to
	}
	return to
}

func (t *tuples) put(to *target, text string) {
	if to.place < 0 {
		to.place = len(t.columns)
		t.columns, t.next = append(t.columns, to), append(t.next, input{})
	}
	t.next[to.place] = input{text, true}
}

// null is the length of a field that is null.
const null = 0xFFFFFFFF

// end writes the row and begins the next one.
func (t *tuples) end() {
	before := len(t.fields)
	for i, in := range t.next {
		t.fields = binary.BigEndian.AppendUint32(t.fields, null)
		if in.set {
			begin := len(t.fields)
			t.fields = t.columns[i].form.wire.put(t.fields, in.text)
			binary.BigEndian.PutUint32(t.fields[begin-4:], uint32(len(t.fields)-begin))
		}
	}
	clear(t.next)
	t.rows = append(t.rows, extent{len(t.fields) - before, len(t.next)})
}

// inputs are the inputs of a row by column.
type inputs map[string]string

// take returns the row that would have been written, and begins the next one.
func (t *tuples) take() inputs {
	taken := make(inputs, len(t.next))
	for i, in := range t.next {
		if in.set {
			taken[t.columns[i].column] = in.text
		}
	}
	clear(t.next)
	return taken
}

// add adds a row that was taken.
func (t *tuples) add(row inputs) {
	for column, text := range row {
		t.put(t.target(column), text)
	}
	t.end()
}

// names are the names of the columns that came up.
func (t *tuples) names() []string {
	names := make([]string, len(t.columns))
	for i, to := range t.columns {
		names[i] = to.column
	}
	return names
}
