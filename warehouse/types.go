package warehouse

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
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

// columnType returns the type of a new column for the value.
func (v value) columnType() columnType {
	switch v.kind {
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
	wire  wire
}

// form takes the type apart.
func (t columnType) form() form {
	f := form{base: string(t)}
	if base, list, found := strings.Cut(strings.TrimSuffix(string(t), ")"), "("); found {
		f.base = base
		for size := range strings.SplitSeq(list, ",") {
			n, err := strconv.Atoi(size)
			if err != nil {
				return form{} // no type that the loader knows
			}
			f.sizes = append(f.sizes, n)
		}
	}
	f.wire = wires[f.base]
	return f
}

// cast returns the value as input for a column of the type. ok is false for a
// misfit: nothing is rounded, cut or guessed, so what comes back from the
// column is what was sent.
//
//	            integer  decimal   boolean  instant  numeric text  other text   document
//	text        as sent  as sent   as sent  as sent  as sent       as sent      as JSON
//	bigint      ok       integral  –        –        integer       –            –
//	numeric     ok       ok        –        –        ok            –            –
//	boolean     –        –         ok       –        –             true, false  –
//	timestamptz –        –         –        ok       –             a date       –
func (f form) cast(v value) (input string, ok bool) {
	switch f.base {
	case "text":
		return v.text, true
	case "character varying":
		return v.text, len(f.sizes) == 0 || len(v.text) <= f.sizes[0] || utf8.RuneCountInString(v.text) <= f.sizes[0]
	case "bigint":
		return castInteger(v, 64)
	case "integer":
		return castInteger(v, 32)
	case "smallint":
		return castInteger(v, 16)
	case "numeric":
		return v.text, v.isNumber() && (v.text == notANumber ||
			fitsNumeric(v.text) && (len(f.sizes) != 2 || fitsScale(v.text, f.sizes[0], f.sizes[1])))
	case "double precision":
		return castFloat(v, 64)
	case "real":
		return castFloat(v, 32)
	case "boolean":
		return v.text, v.kind == boolean || v.kind == text && (v.text == "true" || v.text == "false")
	case "timestamp with time zone", "timestamp without time zone":
		return castTime(v)
	case "json", "jsonb":
		return v.json(), true
	default:
		return "", false
	}
}

// cast returns the value as input for one column of the type.
func (t columnType) cast(v value) (input string, ok bool) { return t.form().cast(v) }

// fitsScale says whether a number fits a column of that precision and scale
// without being rounded.
func fitsScale(literal string, precision, scale int) bool {
	r, ok := new(big.Rat).SetString(literal)
	if !ok {
		return false
	}
	power := func(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
	r.Mul(r, new(big.Rat).SetInt(power(max(scale, 0))))
	return r.IsInt() && r.Num().CmpAbs(power(precision)) < 0
}

// isNumber says whether the value is a number, or a string that is exactly one
// as JSON writes it: "1.50" is, "007" and "+1" are not.
func (v value) isNumber() bool {
	switch v.kind {
	case integer, decimal:
		return true
	case text:
		return gjson.Valid(v.text) && gjson.Parse(v.text).Type == gjson.Number && strings.TrimSpace(v.text) == v.text
	default:
		return false
	}
}

func castInteger(v value, bits int) (string, bool) {
	if !v.isNumber() || !fitsNumeric(v.text) {
		return "", false
	}
	literal := v.text
	if strings.ContainsAny(literal, ".eE") {
		if v.kind == text {
			return "", false
		}
		r, ok := new(big.Rat).SetString(literal)
		if !ok || !r.IsInt() {
			return "", false
		}
		literal = r.Num().String()
	}
	if _, err := strconv.ParseInt(literal, 10, bits); err != nil {
		return "", false
	}
	return literal, true
}

// castFloat takes the numbers that a column of somebody else's, made for
// approximate ones, holds exactly or gives back as they were sent: 2^63 is one of
// the former, 0.1 of the latter.
func castFloat(v value, bits int) (string, bool) {
	if !v.isNumber() {
		return "", false
	}
	n, err := strconv.ParseFloat(v.text, bits)
	if err != nil || isSpecial(v.text) {
		return v.text, err == nil
	}
	if !fitsNumeric(v.text) {
		return "", false
	}
	sent, read := new(big.Rat).SetString(v.text)
	kept, written := new(big.Rat).SetString(strconv.FormatFloat(n, 'g', -1, bits))
	return v.text, read && written && (sent.Cmp(kept) == 0 || sent.Cmp(new(big.Rat).SetFloat64(n)) == 0)
}

func castTime(v value) (string, bool) {
	if v.kind != instant && v.kind != text {
		return "", false
	}
	if input, ok := asPostgresReads(v); ok {
		return input, true
	}
	t, ok := parseTime(v.text)
	if !ok {
		return "", false
	}
	return t.Format("2006-01-02T15:04:05.999999Z07:00"), true
}

// asPostgresReads returns an instant without reading it again if it has the form
// that nearly all have: in UTC, as RFC 3339 writes it. Postgres would round what
// is shorter than a microsecond, so it is cut.
func asPostgresReads(v value) (string, bool) {
	const seconds, micros = len("2006-01-02T15:04:05"), len("2006-01-02T15:04:05.000000")
	last := len(v.text) - 1
	if v.kind != instant || last < seconds || v.text[10] != 'T' || v.text[last] != 'Z' || v.text[16] != ':' ||
		last > seconds && v.text[seconds] != '.' {
		return "", false
	}
	if last > micros {
		return v.text[:micros] + "Z", true
	}
	return v.text, true
}

// json returns the value as JSON.
func (v value) json() string {
	if v.kind == instant || v.kind == text || v.kind == decimal && isSpecial(v.text) {
		return quote(v.text)
	}
	return v.text
}
