package warehouse

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// maxDepth is how many objects deep a column may lie. What is deeper is kept as
// JSON text.
const maxDepth = 16

// field is a value of an object, with the column that it is for.
type field struct {
	cell
	// exact says that the key was the column's name already.
	exact bool
}

// member is a key of an object with what it holds.
type member struct {
	key   string
	value gjson.Result
}

// flattener flattens objects. Its memory serves one after the other.
type flattener struct {
	fields  []field
	members []member // of the object and of those that it is in
}

// flatten puts the values of an object into columns. prefix, if it is not
// empty, is the key that the object itself has; reserved says which columns
// belong to others.
//
// Different keys may mean one column: a.b, a_b and aB do. The key that is the
// column's name wins, else the first in sorted order, whatever the order was in
// the event. What the others hold is returned as lost, if it differs.
func (f *flattener) flatten(object gjson.Result, prefix string, reserved func(string) bool) (cells, []lost) {
	f.fields, f.members = f.fields[:0], f.members[:0]
	f.collect(object, prefix, 1)
	for i := range f.fields {
		f.fields[i].column = ownName(f.fields[i].column, reserved)
	}
	slices.SortStableFunc(f.fields, func(a, b field) int {
		if order := strings.Compare(a.column, b.column); order != 0 || a.exact == b.exact {
			return order
		}
		if a.exact {
			return -1
		}
		return 1
	})
	out := make(cells, 0, len(f.fields))
	var losers []lost
	for _, f := range f.fields {
		switch last := len(out) - 1; {
		case last < 0 || out[last].column != f.column:
			out = append(out, f.cell)
		case out[last].value != f.value:
			losers = append(losers, lost{column: f.column, value: f.value.text, reason: lostCollision})
		}
	}
	return out, losers
}

// collect adds the fields of an object, and of the objects in it, in sorted
// order. Where a key is repeated the last one counts, as in every common JSON
// decoder. parent is the slug of the keys that lead to the object.
func (f *flattener) collect(object gjson.Result, parent string, depth int) {
	first := len(f.members)
	object.ForEach(func(key, v gjson.Result) bool {
		f.members = append(f.members, member{key.Str, v})
		return true
	})
	end := len(f.members)
	slices.SortStableFunc(f.members[first:end], func(a, b member) int { return strings.Compare(a.key, b.key) })
	for i := first; i < end; i++ {
		m := f.members[i]
		if i+1 < end && f.members[i+1].key == m.key {
			continue
		}
		name := slug(m.key, "key_")
		exact := depth == 1 && name == m.key
		if parent != "" {
			name = parent + "_" + name
		}
		if m.value.IsObject() && depth < maxDepth {
			f.collect(m.value, name, depth+1)
		} else if value, ok := valueOf(m.value); ok {
			f.fields = append(f.fields, field{cell{name, value}, exact})
		}
	}
	f.members = f.members[:first]
}
