package warehouse

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A cast says what fits a column of a type. Nothing is rounded, cut or guessed:
// what comes back from the column is what was sent.
//
//	            integer  decimal   boolean  instant  numeric text  other text   document
//	text        as sent  as sent   as sent  as sent  as sent       as sent      as JSON
//	bigint      ok       integral  –        –        integer       –            –
//	numeric     ok       ok        –        –        ok            –            –
//	boolean     –        –         ok       –        –             true, false  –
//	timestamptz –        –         –        ok       –             a date       –
//
// sizes are those of the column, as a form has them.
type cast func(v value, sizes []int) (in input, ok bool)

func castText(v value, _ []int) (input, bool) { return input{text: v.text}, true }

func castVarchar(v value, sizes []int) (input, bool) {
	fits := len(sizes) == 0 || len(v.text) <= sizes[0] || utf8.RuneCountInString(v.text) <= sizes[0]
	return input{text: v.text}, fits
}

func castNumeric(v value, sizes []int) (input, bool) {
	fits := v.isNumber() && (v.text == notANumber ||
		fitsNumeric(v.text) && (len(sizes) != 2 || fitsScale(v.text, sizes[0], sizes[1])))
	return input{text: v.text}, fits
}

func castBoolean(v value, _ []int) (input, bool) {
	return input{text: v.text}, v.kind == boolean || v.kind == text && (v.text == "true" || v.text == "false")
}

func castJSON(v value, _ []int) (input, bool) { return input{text: v.json()}, true }

// fitsScale says whether a number fits a column of that precision and scale
// without being rounded.
func fitsScale(literal string, precision, scale int) bool {
	r, ok := new(big.Rat).SetString(literal)
	if !ok {
		return false
	}
	power := func(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
	r.Mul(r, new(big.Rat).SetFrac(power(max(scale, 0)), power(max(-scale, 0))))
	return r.IsInt() && r.Num().CmpAbs(power(precision)) < 0
}

// castInteger takes integers of so many bits.
func castInteger(bits int) cast {
	return func(v value, _ []int) (input, bool) {
		if !v.isNumber() || !fitsNumeric(v.text) {
			return input{}, false
		}
		literal := v.text
		if strings.ContainsAny(literal, ".eE") {
			if v.kind == text {
				return input{}, false
			}
			r, ok := new(big.Rat).SetString(literal)
			if !ok || !r.IsInt() {
				return input{}, false
			}
			literal = r.Num().String()
		}
		_, err := strconv.ParseInt(literal, 10, bits)
		return input{text: literal}, err == nil
	}
}

// castFloat takes the numbers that a column of somebody else's, made for
// approximate ones, holds exactly or gives back as they were sent: 2^63 is one of
// the former, 0.1 of the latter.
func castFloat(bits int) cast {
	return func(v value, _ []int) (input, bool) {
		if !v.isNumber() {
			return input{}, false
		}
		in := input{text: v.text}
		n, err := strconv.ParseFloat(v.text, bits)
		if err != nil || isSpecial(v.text) {
			return in, err == nil
		}
		if !fitsNumeric(v.text) {
			return input{}, false
		}
		sent, read := new(big.Rat).SetString(v.text)
		kept, written := new(big.Rat).SetString(strconv.FormatFloat(n, 'g', -1, bits))
		return in, read && written && (sent.Cmp(kept) == 0 || sent.Cmp(new(big.Rat).SetFloat64(n)) == 0)
	}
}

// castTime takes instants and dates, these as their midnight in UTC.
func castTime(v value, _ []int) (input, bool) {
	switch v.kind {
	case instant:
		return input{micros: v.micros, isTime: true}, true
	case text:
		t, ok := parseTime(v.text)
		return input{micros: t.UnixMicro(), isTime: true}, ok
	default:
		return input{}, false
	}
}
