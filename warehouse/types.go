package warehouse

import (
	"strconv"
	"strings"
	"time"
)

// columnType is a column's type as Postgres' format_type writes it.
type columnType string

// The types that the loader gives to columns, which are those that Segment uses
// on Postgres. A table that somebody else made may have others.
const (
	typeID          columnType = "character varying(1024)"
	typeText        columnType = "text"
	typeBigint      columnType = "bigint"
	typeNumeric     columnType = "numeric"
	typeBoolean     columnType = "boolean"
	typeTimestamptz columnType = "timestamp with time zone"
)

// columnType returns the type of a new column for values of a kind.
func (k kind) columnType() columnType {
	switch k {
	case integer:
		return typeBigint
	case decimal:
		return typeNumeric
	case boolean:
		return typeBoolean
	case instant:
		return typeTimestamptz
	default:
		return typeText
	}
}

// common returns the narrowest type that holds what both hold.
func common(a, b columnType) columnType {
	switch {
	case a == b:
		return a
	case a == typeBigint && b == typeNumeric, a == typeNumeric && b == typeBigint:
		return typeNumeric
	default:
		return typeText
	}
}

// form is a column type taken apart, so that this is not done for each value.
type form struct {
	base  string // without sizes
	sizes []int  // the length of varchar(1024), precision and scale of numeric(10,2)
	codec
}

// form takes the type apart.
func (t columnType) form() form {
	f := form{base: string(t)}
	if base, list, found := strings.Cut(string(t), "("); found {
		list, rest, _ := strings.Cut(list, ")")
		f.base = base + rest // time(3) without time zone
		for size := range strings.SplitSeq(list, ",") {
			n, err := strconv.Atoi(size)
			if err != nil {
				return form{} // no type that the loader knows
			}
			f.sizes = append(f.sizes, n)
		}
	}
	f.codec = codecs[f.base]
	return f
}

// modifier is how Postgres numbers the sizes of a type (postgres docs,
// pg_attribute.atttypmod; each type's typmodin function is the authority).
func (f form) modifier() int32 {
	const none, header = -1, 4
	switch {
	case len(f.sizes) == 0:
		return none
	case f.base == "numeric" && len(f.sizes) == 2:
		return int32(f.sizes[0]<<16|f.sizes[1]&0x7FF) + header
	case strings.HasPrefix(f.base, "time"):
		return int32(f.sizes[0])
	default:
		return int32(f.sizes[0]) + header
	}
}

// cast returns the value as a column of the type takes it. ok is false for a
// misfit, as is every value of a type that the loader does not know.
func (f form) cast(v value) (in input, ok bool) {
	if f.codec.cast == nil {
		return input{}, false
	}
	return f.codec.cast(v, f.sizes)
}

// cast returns the value as text for a column of the type.
func (t columnType) cast(v value) (literal string, ok bool) {
	in, ok := t.form().cast(v)
	return in.literal(), ok
}

// input is a value that fits a column.
type input struct {
	// text is what Postgres reads, unless it is a time.
	text string
	// micros is a time: microseconds since 1970.
	micros int64
	isTime bool
}

// literal writes the input as Postgres reads it.
func (in input) literal() string {
	if in.isTime {
		return time.UnixMicro(in.micros).UTC().Format(time.RFC3339Nano)
	}
	return in.text
}
