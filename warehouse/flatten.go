package warehouse

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// maxDepth is how many objects deep a column may lie. What is deeper is kept as
// JSON text.
const maxDepth = 16

// member is a value of an object, with the key that it has there.
type member struct {
	key   *key
	value value
}

// flattener flattens objects. Its memory serves one after the other.
type flattener struct {
	tree   *keyTree
	fields []member
	// whole numbers the objects that were flattened, object all that were in
	// them.
	whole, object int
	// crowded says that two of the fields mean the same column.
	crowded bool
}

// flatten returns the values of an object, one for each column. They are valid
// until the next call.
//
// Different keys may mean one column. The key that is the column's name wins,
// else the first in sorted order, whatever the order was in the event. What the
// others hold is returned as lost, if it differs.
func (f *flattener) flatten(object gjson.Result, tree *keyTree) (fields []member, losers []lost) {
	if tree.known > maxKeys {
		tree.forget()
	}
	f.tree, f.fields, f.crowded = tree, f.fields[:0], false
	f.whole++
	f.collect(object, tree.root)
	if f.crowded {
		losers = f.elect()
	}
	return f.fields, losers
}

// collect adds the fields of the object that parent holds, and of the objects in
// it. Where a key is repeated the last one counts, as in every common JSON
// decoder.
func (f *flattener) collect(object gjson.Result, parent *key) {
	f.object++
	this := f.object
	object.ForEach(func(name, v gjson.Result) bool {
		k := f.tree.child(parent, name.Str)
		if k.object == this {
			f.fields = slices.DeleteFunc(f.fields, func(earlier member) bool { return earlier.key.within(k) })
		}
		k.object = this
		if v.IsObject() && k.depth < maxDepth {
			f.collect(v, k)
		} else if value, ok := valueOf(v); ok && !f.tree.shape.skips(value) {
			f.crowded = f.crowded || k.column.whole == f.whole
			k.column.whole = f.whole
			f.fields = append(f.fields, member{k, value})
		}
		return true
	})
}

// elect leaves one field for each column, and returns what the others hold.
func (f *flattener) elect() []lost {
	slices.SortFunc(f.fields, func(a, b member) int {
		return cmp.Or(strings.Compare(a.key.column.name, b.key.column.name), compareKeys(a.key, b.key))
	})
	var losers []lost
	winners := f.fields[:0]
	for _, found := range f.fields {
		switch last := len(winners) - 1; {
		case last < 0 || winners[last].key.column != found.key.column:
			winners = append(winners, found)
		case winners[last].value != found.value:
			losers = append(losers, lost{column: found.key.column.name, value: found.value.text, reason: lostCollision})
		}
	}
	f.fields = winners
	return losers
}
