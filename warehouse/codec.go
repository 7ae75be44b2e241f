package warehouse

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// codec is how values get into the columns of a type: which fit, and how COPY's
// binary format has them (postgres docs, COPY, "Binary Format"; each type's
// receive function is the authority). Postgres takes it 40 % faster than text, for
// it need not parse it.
type codec struct {
	// oid is the type's number. Others mean the same bytes otherwise, so it is
	// held against that of the column before each copy.
	oid  uint32
	cast cast
	// put appends what cast made.
	put func(buf []byte, in input) []byte
}

// codecs are those of the types that the loader knows.
var codecs = map[string]codec{
	"text":                        {pgtype.TextOID, castText, putText},
	"character varying":           {pgtype.VarcharOID, castVarchar, putText},
	"bigint":                      {pgtype.Int8OID, castInteger(64), putInteger(64)},
	"integer":                     {pgtype.Int4OID, castInteger(32), putInteger(32)},
	"smallint":                    {pgtype.Int2OID, castInteger(16), putInteger(16)},
	"numeric":                     {pgtype.NumericOID, castNumeric, putNumeric},
	"double precision":            {pgtype.Float8OID, castFloat(64), putDouble},
	"real":                        {pgtype.Float4OID, castFloat(32), putReal},
	"boolean":                     {pgtype.BoolOID, castBoolean, putBoolean},
	"timestamp with time zone":    {pgtype.TimestamptzOID, castTime, putTime},
	"timestamp without time zone": {pgtype.TimestampOID, castTime, putTime},
	"json":                        {pgtype.JSONOID, castJSON, putText},
	"jsonb":                       {pgtype.JSONBOID, castJSON, putJSONB},

	"date":                   {pgtype.DateOID, castWords(isDate), putDate},
	"time without time zone": {pgtype.TimeOID, castWords(isTimeOfDay), putTimeOfDay},
	"uuid":                   {pgtype.UUIDOID, castWords(isUUID), putUUID},
	"inet":                   {pgtype.InetOID, castWords(isInet), putNetwork},
	"cidr":                   {pgtype.CIDROID, castWords(isCIDR), putNetwork},
	"bytea":                  {pgtype.ByteaOID, castWords(isBytes), putBytes},
	"character":              {pgtype.BPCharOID, castCharacter, putText},
}

func putText(buf []byte, in input) []byte { return append(buf, in.text...) }

// putInteger puts integers of so many bits.
func putInteger(bits int) func([]byte, input) []byte {
	return func(buf []byte, in input) []byte {
		n := mustRead(strconv.ParseInt(in.text, 10, bits))
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
func putNumeric(buf []byte, in input) []byte {
	const header, negative, nan = 8, 0x4000, 0xC000
	if in.text == notANumber {
		return append(buf, 0, 0, 0, 0, nan>>8, nan&0xFF, 0, 0)
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(in.text), "e")
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

func putDouble(buf []byte, in input) []byte {
	return binary.BigEndian.AppendUint64(buf, math.Float64bits(mustRead(strconv.ParseFloat(in.text, 64))))
}

func putReal(buf []byte, in input) []byte {
	return binary.BigEndian.AppendUint32(buf, math.Float32bits(float32(mustRead(strconv.ParseFloat(in.text, 32)))))
}

func putBoolean(buf []byte, in input) []byte {
	if in.text == "true" {
		return append(buf, 1)
	}
	return append(buf, 0)
}

// epoch is where Postgres' clock begins, in microseconds since 1970.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func putTime(buf []byte, in input) []byte {
	return binary.BigEndian.AppendUint64(buf, uint64(in.micros-epoch))
}

func putJSONB(buf []byte, in input) []byte { return append(append(buf, 1), in.text...) }

// mustRead returns what was read of an input. form.cast lets nothing through
// that its type cannot read.
func mustRead[T any](read T, err error) T {
	if err != nil {
		panic(err)
	}
	return read
}
