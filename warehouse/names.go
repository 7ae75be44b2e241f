package warehouse

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	snakecase "github.com/segmentio/go-snakecase"
)

const (
	// maxNameBytes is what Postgres keeps of a name. It cuts a longer one with
	// no more than a notice, so that two long names could become one.
	maxNameBytes = 63
	// keptNameBytes of a longer name stay readable; an underscore and eight hex
	// digits of its hash follow.
	keptNameBytes = 54
)

// SchemaName returns the schema that holds the rows of a source.
func SchemaName(source string) string { return schemaName(source) }

// schemaName returns the schema of a source: the source's name in snake case,
// as Segment names a schema by the slug of the source.
// The schemas that are not for sources get an underscore in front.
func schemaName(source string) string {
	name := slug(source, "source_")
	if name == ownSchema || name == analyticsSchema || name == "information_schema" || strings.HasPrefix(name, "pg_") {
		name = "_" + name
	}
	return identifier(name)
}

// eventTable returns the table of a track call. A name that belongs to a fixed
// table gets an underscore in front, as in RudderStack: rows of different
// shapes must not mix.
func eventTable(event string) string {
	name := slug(event, "event_")
	if fixedTables[name] {
		name = "_" + name
	}
	return identifier(name)
}

// slug is Segment's own: github.com/segmentio/go-snakecase is what names its
// tables and columns (segment-docs, connections/storage/warehouses/schema). It
// knows ASCII only; a name without any of that becomes prefix and a hash, so
// that it is neither lost nor mixed with others.
func slug(name, prefix string) string {
	if s := snakecase.Snakecase(name); s != "" {
		return s
	}
	return prefix + hash(name)
}

// identifier makes a slug a name that Postgres takes without quotes and keeps
// in full. An identifier is its own identifier.
func identifier(name string) string {
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	if len(name) <= maxNameBytes {
		return name
	}
	return strings.TrimRight(name[:keptNameBytes], "_") + "_" + hash(name)
}

// systemColumns are those that every table of Postgres has (postgres docs,
// "System Columns"). None can be added with such a name.
var systemColumns = map[string]bool{
	"tableoid": true, "xmin": true, "cmin": true, "xmax": true, "cmax": true, "ctid": true,
}

// besideSystem puts an underscore before the name of a system column.
func besideSystem(column string) string {
	if systemColumns[column] {
		return "_" + column
	}
	return column
}

// hash returns eight hex digits that tell names apart.
func hash(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:4])
}

// maxNames is how many names are remembered before it begins anew. Names of
// events are few, unless data is in them.
const maxNames = 10_000

// names remembers what became of names.
type names[T any] map[string]T

// of returns what becomes of a name.
func (n names[T]) of(name string, make func(string) T) T {
	if known, ok := n[name]; ok {
		return known
	}
	if len(n) >= maxNames {
		clear(n)
	}
	name = strings.Clone(name) // or the event that it comes from would be kept
	n[name] = make(name)
	return n[name]
}
