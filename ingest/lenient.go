package ingest

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// maxDepth bounds the nesting of a body. No SDK nests more than a few levels by
// itself; the bound keeps the recursive parsers behind this door from being
// driven deep.
const maxDepth = 128

// lenient returns the body as valid JSON in valid UTF-8. It tolerates what SDKs
// are known to send: a byte order mark, invalid UTF-8, lone surrogates, bare NaN
// and Infinity (analytics-python), arrays with holes (analytics-android). It may
// change body.
func lenient(body []byte) ([]byte, error) {
	body = bytes.TrimPrefix(body, []byte("\uFEFF"))
	if nesting(body) > maxDepth {
		return nil, errTooDeep
	}
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\uFFFD"))
	}
	replaceLoneSurrogates(body)
	if gjson.ValidBytes(body) {
		return body, nil
	}
	if body = repair(body); gjson.ValidBytes(body) {
		return body, nil
	}
	return nil, errMalformed
}

// nesting returns how deep a body is nested, without recursion. On bytes that
// are no JSON it is right up to the first error, which is as far as a parser
// gets.
func nesting(body []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted:
			switch c {
			case '\\':
				i++
			case '"':
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '{', c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}', c == ']':
			depth--
		}
	}
	return deepest
}

// replaceLoneSurrogates overwrites every \uD800 to \uDFFF that is no half of a
// pair by \uFFFD, in place. JavaScript strings that were cut in the middle of an
// emoji have them, and Postgres refuses them.
func replaceLoneSurrogates(body []byte) {
	const escape = len(`\uXXXX`)
	for i := bytes.IndexByte(body, '\\'); i >= 0 && i < len(body); {
		r, ok := escaped(body[i:])
		switch {
		case !ok:
			i += 2 // another escape; it may be a backslash
		case !utf16.IsSurrogate(r):
			i += escape
		default:
			low, _ := escaped(body[i+escape:])
			if utf16.DecodeRune(r, low) != utf8.RuneError {
				i += 2 * escape
				break
			}
			copy(body[i:], `\ufffd`)
			i += escape
		}
		if i >= len(body) {
			return
		}
		next := bytes.IndexByte(body[i:], '\\')
		if next < 0 {
			return
		}
		i += next
	}
}

// escaped reads a \uXXXX at the start of b.
func escaped(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}

// repair rewrites what some encoders write for values that JSON does not have:
// a bare NaN, Infinity and -Infinity become null, and holes in an array are
// left out. What is still no JSON after that is none.
func repair(body []byte) []byte {
	out := make([]byte, 0, len(body))
	last := -1 // where the last byte stands in out that is no white space
	after := func(c byte) bool { return last >= 0 && out[last] == c }
	for i := 0; i < len(body); {
		c := body[i]
		if n := unwritable(body[i:]); n > 0 {
			out = append(out, "null"...)
			last = len(out) - 1
			i += n
			continue
		}
		switch c {
		case '"':
			end := i + quotedLen(body[i:])
			out = append(out, body[i:end]...)
			last = len(out) - 1
			i = end
			continue
		case ' ', '\t', '\r', '\n':
			out = append(out, c)
			i++
			continue
		case ',':
			if after('[') || after(',') {
				i++
				continue
			}
		case ']':
			if after(',') {
				out[last] = ' '
			}
		}
		out = append(out, c)
		last = len(out) - 1
		i++
	}
	return out
}

// unwritable returns the length of the number at the start of b that JSON has
// no form for, or 0.
func unwritable(b []byte) int {
	for _, number := range []string{"NaN", "Infinity", "-Infinity"} {
		if len(b) >= len(number) && string(b[:len(number)]) == number {
			return len(number)
		}
	}
	return 0
}

// quotedLen returns the length of the string at the start of b, quotes
// included.
func quotedLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}
