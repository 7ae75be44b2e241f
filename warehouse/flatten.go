package warehouse

import (
	"maps"
	"slices"

	"github.com/tidwall/gjson"
)

// maxDepth is how many objects deep a column may lie. What is deeper is kept as
// JSON text.
const maxDepth = 16

// cells are the values of a row by column.
type cells map[string]value

// field is a value of an object and the keys that lead to it.
type field struct {
	path  []string
	value value
}

// flatten puts the values of an object into columns. prefix, if it is not
// empty, is the key that the object itself has; reserved says which columns
// belong to others.
//
// Different keys may mean one column: a.b, a_b and aB do. The key that is the
// column's name wins, else the first in sorted order, whatever the order was in
// the event. What the others hold is returned as lost, if it differs.
func flatten(object gjson.Result, prefix string, reserved func(string) bool) (cells, []lost) {
	fields := collect(object, nil, nil)
	slices.SortStableFunc(fields, func(a, b field) int { return rank(a) - rank(b) })
	out := make(cells, len(fields))
	var losers []lost
	for _, f := range fields {
		path := f.path
		if prefix != "" {
			path = slices.Insert(slices.Clone(path), 0, prefix)
		}
		column := columnName(path, reserved)
		winner, taken := out[column]
		switch {
		case !taken:
			out[column] = f.value
		case winner != f.value:
			losers = append(losers, lost{column: column, value: f.value.text, reason: lostCollision})
		}
	}
	return out, losers
}

// rank is 0 for a key that is the column's name already and 1 for all others.
func rank(f field) int {
	if len(f.path) == 1 && f.path[0] == joinedSlug(f.path) {
		return 0
	}
	return 1
}

// collect appends the fields of an object and of the objects in it, in sorted
// order. Where a key is repeated the last one counts, as in every common JSON
// decoder.
func collect(object gjson.Result, path []string, fields []field) []field {
	members := make(map[string]gjson.Result)
	object.ForEach(func(key, v gjson.Result) bool {
		members[key.Str] = v
		return true
	})
	for _, key := range slices.Sorted(maps.Keys(members)) {
		v, below := members[key], append(slices.Clone(path), key)
		if v.IsObject() && len(below) < maxDepth {
			fields = collect(v, below, fields)
		} else if value, ok := valueOf(v); ok {
			fields = append(fields, field{below, value})
		}
	}
	return fields
}
