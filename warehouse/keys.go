package warehouse

import (
	"slices"
	"strings"
)

// maxKeys is how many keys a tree remembers before it starts anew. Programs have
// hundreds; more come only of keys that are data.
const maxKeys = 10_000

// keyTree knows the columns of the keys of one kind of object: context, or the
// properties of track calls. Events have the same keys again and again, so what
// becomes of a key is worked out once.
type keyTree struct {
	shape *shape
	// prefix is the slug of the key that the object itself has, "" for one whose
	// keys are columns of their own.
	prefix string
	// reserved says which columns belong to others.
	reserved func(string) bool

	root    *key
	columns map[string]*column
	known   int // keys below root
}

// column is a column that keys of a tree mean. Several may mean the same: a.b,
// a_b and aB do.
type column struct {
	name string
	// whole is the last flattened object that had a value for it.
	whole int
}

// key is a key of an object at its place among those that it is in.
type key struct {
	name   string
	parent *key // nil for the object itself
	// slug is that of the key and those that lead to it.
	slug   string
	column *column
	// exact says that the key is its column's name already.
	exact bool
	// lost says that no column is its own: another has its name, or nothing is
	// left of it.
	lost  bool
	depth int
	// object is the last one that the key was seen in.
	object int
	keys   map[string]*key
}

func newKeyTree(shape *shape, prefix string, reserved func(string) bool) *keyTree {
	t := &keyTree{shape: shape, prefix: prefix, reserved: reserved}
	t.forget()
	return t
}

// forget makes the tree begin anew.
func (t *keyTree) forget() {
	t.root, t.columns, t.known = &key{slug: t.prefix}, make(map[string]*column), 0
}

// child returns a key of the object that parent holds.
func (t *keyTree) child(parent *key, name string) *key {
	if k, ok := parent.keys[name]; ok {
		return k
	}
	name = strings.Clone(name) // or the whole event would be kept with it
	k := &key{name: name, parent: parent, slug: t.shape.key(name, parent.slug == ""), depth: parent.depth + 1}
	k.exact = k.depth == 1 && k.slug == name
	if parent.slug != "" && k.slug != "" {
		k.slug = parent.slug + "_" + k.slug
	} else {
		k.slug += parent.slug
	}
	k.lost = k.slug == "" || t.shape.dropsReserved && t.reserved(k.slug)
	k.column = t.column(k)
	if parent.keys == nil {
		parent.keys = make(map[string]*key)
	}
	parent.keys[name] = k
	t.known++
	return k
}

// column returns the column of a key, one of no table for a key that is lost.
func (t *keyTree) column(k *key) *column {
	if k.lost {
		return &column{name: strings.Join(k.way(), ".")}
	}
	slug := k.slug
	if t.reserved(slug) {
		slug = "_" + slug
	}
	name := t.shape.column(slug)
	if t.columns[name] == nil {
		t.columns[name] = &column{name: name}
	}
	return t.columns[name]
}

// within says whether k is other or lies in the object that other holds.
func (k *key) within(other *key) bool {
	for ; k != nil; k = k.parent {
		if k == other {
			return true
		}
	}
	return false
}

// compareKeys orders keys that mean one column, the one that wins first: the key
// that is the column's name, else the first in sorted order.
func compareKeys(a, b *key) int {
	switch {
	case a.exact && !b.exact:
		return -1
	case b.exact && !a.exact:
		return 1
	default:
		return slices.Compare(a.way(), b.way())
	}
}

// way returns the names of the keys that lead to k, its own last.
func (k *key) way() []string {
	way := make([]string, k.depth)
	for ; k.parent != nil; k = k.parent {
		way[k.depth-1] = k.name
	}
	return way
}
