package warehouse

import (
	"encoding/binary"
	"slices"
)

// tuples are rows for a table in COPY's binary format. A row has the columns
// that came up until it was written; those that came up later are null in it.
type tuples struct {
	rel     *relation
	targets map[string]*target // by column
	// usual are the targets of a row's cells by place. Most rows have the same
	// columns as the one before, in the same order, so they are found at once.
	usual []*target
	// columns are those that came up.
	columns []*target
	// next is the row that is being written, an input for each of columns.
	next   []field
	fields []byte
	rows   []extent
}

// target is where the values of a column go.
type target struct {
	column string
	form   form
	// exists says that the table has the column.
	exists bool
	// place is where it is among the columns that came up, -1 if it did not.
	place int
}

// field is an input of a row, none if it is not set.
type field struct {
	input
	set bool
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
	place := 0
	for _, some := range [...]cells{r.common, r.own} {
		for i := range some {
			c := &some[i]
			to := t.usually(place, c.column)
			place++
			switch {
			case !to.exists && over == nil:
				over = overflow{c.column: c.value}
			case !to.exists:
				over[c.column] = c.value
			case !t.set(to, c.value):
				losers = append(losers, lost{c.column, c.value.text, lostMisfit})
			}
		}
	}
	if over == nil {
		return nil, losers
	}
	if to := t.target(overflowColumn); !to.exists || !t.set(to, over.json()) {
		return nil, append(losers, over.losers()...)
	}
	return over, losers
}

// usually returns the target of the cell at a place of its row.
func (t *tuples) usually(place int, column string) *target {
	if place == len(t.usual) {
		t.usual = append(t.usual, t.target(column))
	} else if t.usual[place].column != column {
		t.usual[place] = t.target(column)
	}
	return t.usual[place]
}

func (t *tuples) target(column string) *target {
	to := t.targets[column]
	if to == nil {
		f, exists := t.rel.form(column)
		to = &target{column, f, exists, -1}
		t.targets[column] = to
	}
	return to
}

// set casts a value to a column of the row that is being written.
func (t *tuples) set(to *target, v value) (fits bool) {
	in, fits := to.form.cast(v)
	if fits {
		t.put(to, in)
	}
	return fits
}

func (t *tuples) put(to *target, in input) {
	if to.place < 0 {
		to.place = len(t.columns)
		t.columns, t.next = append(t.columns, to), append(t.next, field{})
	}
	t.next[to.place] = field{in, true}
}

// null is the length of a field that is null.
const null = 0xFFFFFFFF

// end writes the row and begins the next one.
func (t *tuples) end() {
	before := len(t.fields)
	for i := range t.next {
		t.fields = binary.BigEndian.AppendUint32(t.fields, null)
		if in := &t.next[i]; in.set {
			begin := len(t.fields)
			t.fields = t.columns[i].form.put(t.fields, in.input)
			binary.BigEndian.PutUint32(t.fields[begin-4:], uint32(len(t.fields)-begin))
		}
	}
	clear(t.next)
	t.rows = append(t.rows, extent{len(t.fields) - before, len(t.next)})
}

// inputs are the inputs of a row by column.
type inputs map[string]input

// take returns the row that would have been written, and begins the next one.
func (t *tuples) take() inputs {
	taken := make(inputs, len(t.next))
	for i, f := range t.next {
		if f.set {
			taken[t.columns[i].column] = f.input
		}
	}
	clear(t.next)
	return taken
}

// add adds a row that was taken.
func (t *tuples) add(row inputs) {
	for column, in := range row {
		t.put(t.target(column), in)
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
