package warehouse

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// wire is how COPY's binary format has the values of a type (postgres docs,
// COPY, "Binary Format"; each type's receive function is the authority).
// Postgres takes it 40 % faster than text, for it need not parse it.
type wire struct {
	// oid is the type's number. Others mean the same bytes otherwise, so it is
	// held against that of the column before each copy.
	oid uint32
	// put appends what form.cast made for the type.
	put func(buf []byte, input string) []byte
}

// wires are the types that form.cast knows.
var wires = map[string]wire{
	"text":                        {pgtype.TextOID, putText},
	"character varying":           {pgtype.VarcharOID, putText},
	"bigint":                      {pgtype.Int8OID, putInteger(64)},
	"integer":                     {pgtype.Int4OID, putInteger(32)},
	"smallint":                    {pgtype.Int2OID, putInteger(16)},
	"numeric":                     {pgtype.NumericOID, putNumeric},
	"double precision":            {pgtype.Float8OID, putDouble},
	"real":                        {pgtype.Float4OID, putReal},
	"boolean":                     {pgtype.BoolOID, putBoolean},
	"timestamp with time zone":    {pgtype.TimestamptzOID, putTime},
	"timestamp without time zone": {pgtype.TimestampOID, putTime},
	"json":                        {pgtype.JSONOID, putText},
	"jsonb":                       {pgtype.JSONBOID, putJSONB},
}

func putText(buf []byte, input string) []byte { return append(buf, input...) }

// putInteger puts integers of so many bits.
func putInteger(bits int) func([]byte, string) []byte {
	return func(buf []byte, input string) []byte {
		n := mustRead(strconv.ParseInt(input, 10, bits))
		switch bits {
		case 16:
			return binary.BigEndian.AppendUint16(buf, uint16(n))
		case 32:
			return binary.BigEndian.AppendUint32(buf, uint32(n))
		default:
			return binary.BigEndian.AppendUint64(buf, uint64(n))
		}
	}
}

// putNumeric puts a number with all its digits, the zeros at its end too. Its
// digits stand in groups of four, counted from the point; groups of zeros at
// either end are left out. In front are the number of groups, the place of the
// first one, the sign, and the number of digits after the point.
func putNumeric(buf []byte, input string) []byte {
	const header, negative, nan = 8, 0x4000, 0xC000
	if input == notANumber {
		return append(buf, 0, 0, 0, 0, nan>>8, nan&0xFF, 0, 0)
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(input), "e")
	shift := 0
	if exponent != "" {
		shift = mustRead(strconv.Atoi(exponent))
	}
	mantissa, isNegative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits, point := whole+fraction, len(whole)+shift

	begin := len(buf)
	buf = append(buf, make([]byte, header)...)
	first := (point%4+4)%4 - 4 // where the group begins that has the first digit
	place := (point-first)/4 - 1
	for at := first; at < len(digits); at += 4 {
		group := 0
		for i := at; i < at+4; i++ {
			group *= 10
			if i >= 0 && i < len(digits) {
				group += digit(digits[i])
			}
		}
		if group == 0 && len(buf) == begin+header {
			place--
			continue
		}
		buf = binary.BigEndian.AppendUint16(buf, uint16(group))
	}
	for len(buf) > begin+header && buf[len(buf)-1] == 0 && buf[len(buf)-2] == 0 {
		buf = buf[:len(buf)-2]
	}
	groups := (len(buf) - begin - header) / 2
	if groups == 0 {
		place, isNegative = 0, false
	}
	sign := 0
	if isNegative {
		sign = negative
	}
	for i, n := range [...]int{groups, place, sign, max(0, len(fraction)-shift)} {
		binary.BigEndian.PutUint16(buf[begin+2*i:], uint16(n))
	}
	return buf
}

// digit reads a digit. A letter is none, and must not become a number unseen.
func digit(c byte) int {
	if c < '0' || c > '9' {
		panic("a number with the digit " + strconv.QuoteRune(rune(c)))
	}
	return int(c - '0')
}

func putDouble(buf []byte, input string) []byte {
	return binary.BigEndian.AppendUint64(buf, math.Float64bits(mustRead(strconv.ParseFloat(input, 64))))
}

func putReal(buf []byte, input string) []byte {
	return binary.BigEndian.AppendUint32(buf, math.Float32bits(float32(mustRead(strconv.ParseFloat(input, 32)))))
}

func putBoolean(buf []byte, input string) []byte {
	if input == "true" {
		return append(buf, 1)
	}
	return append(buf, 0)
}

// epoch is where Postgres' clock begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// putTime puts a time in UTC, to the microsecond below.
func putTime(buf []byte, input string) []byte {
	t := mustRead(time.Parse(time.RFC3339Nano, input))
	return binary.BigEndian.AppendUint64(buf, uint64(t.UnixMicro()-epoch.UnixMicro()))
}

func putJSONB(buf []byte, input string) []byte { return append(append(buf, 1), input...) }

// mustRead returns what was read of an input. form.cast lets nothing through
// that its type cannot read.
func mustRead[T any](read T, err error) T {
	if err != nil {
		panic(err)
	}
	return read
}
