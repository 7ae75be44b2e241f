package warehouse

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// kind says what a JSON value is, as far as columns can tell.
type kind int

const (
	integer  kind = iota // a number without "." and "e" that fits bigint
	decimal              // any other number that fits numeric
	boolean              // true or false
	instant              // a string that is a date with a time of day
	text                 // any other string, and a number that fits no column of numbers
	document             // an array, or an object that is not flattened
)

// value is a JSON value that is not null. It keeps the digits that were sent:
// nothing passes through a float.
type value struct {
	kind kind
	// text is a number's literal, true or false, a string's content, or the
	// JSON of a document. Postgres can store it: it has no NUL and is UTF-8.
	text string
	// micros is when an instant is: microseconds since 1970, what is shorter cut.
	micros int64
}

// valueOf reads a JSON value. ok is false for null and what is missing.
func valueOf(v gjson.Result) (value, bool) {
	switch {
	case !v.Exists() || v.Type == gjson.Null:
		return value{}, false
	case v.IsBool():
		return value{kind: boolean, text: v.Raw}, true
	case v.Type == gjson.Number:
		return value{kind: kindOfNumber(v.Raw), text: v.Raw}, true
	case v.Type == gjson.String:
		return textValue(v.Str), true
	default:
		return value{kind: document, text: cleanJSON(v.Raw)}, true
	}
}

// textValue reads a string.
func textValue(s string) value {
	s = cleanText(s)
	if t, ok := instantOf(s); ok {
		return value{instant, s, t.UnixMicro()}
	}
	return value{kind: text, text: s}
}

// timeValue is a time that the server made.
func timeValue(t time.Time) value { return value{instant, event.FormatTime(t), t.UnixMicro()} }

func kindOfNumber(literal string) kind {
	switch {
	case isInteger(literal):
		return integer
	case fitsNumeric(literal), isSpecial(literal):
		return decimal
	default:
		return text
	}
}

func isInteger(literal string) bool {
	if strings.ContainsAny(literal, ".eE") {
		return false
	}
	_, err := strconv.ParseInt(literal, 10, 64)
	return err == nil
}

// fitsNumeric says whether numeric holds a number in full: Postgres allows
// 131072 digits before the point and 16383 after it. The bound here is lower
// than both for literal and exponent together.
func fitsNumeric(literal string) bool {
	const most = 8000
	mantissa, exponent, found := strings.Cut(strings.ToLower(literal), "e")
	if strings.Trim(mantissa, "-.0123456789") != "" {
		return false
	}
	if !found {
		return len(mantissa) <= most
	}
	e, err := strconv.Atoi(exponent)
	return err == nil && len(mantissa) <= most && -most <= e && e <= most
}

// notANumber is a value of numeric, though none of JSON: only an import has it.
const notANumber = "NaN"

// isSpecial says whether a number is one of those that Postgres writes as a word.
func isSpecial(literal string) bool {
	return literal == notANumber || literal == "Infinity" || literal == "-Infinity"
}

// instantOf reads a string that is a date with a time of day. A date alone
// stays text: it names a day, which is another instant in each time zone.
func instantOf(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02T15:04") || !strings.Contains(s, ":") {
		return time.Time{}, false
	}
	return parseTime(s)
}

// parseTime reads an ISO date or date and time, in either case. Years that
// Postgres writes otherwise, and zones by names that mean several zones, are
// left alone.
func parseTime(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if s == "" || s[0] < '0' || s[0] > '9' { // an address with its "https:", for one
		return time.Time{}, false
	}
	upper := strings.ToUpper(s)
	if last := upper[max(0, len(upper)-1):]; last >= "A" && last <= "Y" &&
		!strings.HasSuffix(upper, " UTC") && !strings.HasSuffix(upper, " GMT") {
		return time.Time{}, false
	}
	t, ok := event.ParseTime(upper)
	if !ok || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
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

// json returns the value as JSON.
func (v value) json() string {
	if v.kind == instant || v.kind == text || v.kind == decimal && isSpecial(v.text) {
		return quote(v.text)
	}
	return v.text
}

// cleanText removes NUL, which Postgres cannot store, and replaces what is not
// UTF-8.
func cleanText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
}

// cleanJSON makes a JSON text one that jsonb takes. It does for the strings in
// it what cleanText does for one, and a number beyond numeric becomes a string
// of its digits. Other numbers keep theirs.
func cleanJSON(raw string) string {
	raw = cleanText(raw)
	var b strings.Builder
	copied := 0
	for i := 0; i < len(raw); {
		end, clean := i+1, ""
		switch c := raw[i]; {
		case c == '"':
			end = endOfString(raw, i)
			if literal := raw[i:end]; strings.Contains(literal, `\u`) {
				// gjson reads a lone surrogate as U+FFFD.
				clean = quote(cleanText(gjson.Parse(literal).Str))
			}
		case c == '-', '0' <= c && c <= '9':
			end = endOfNumber(raw, i)
			if literal := raw[i:end]; !fitsNumeric(literal) {
				clean = quote(literal)
			}
		}
		if clean != "" {
			b.WriteString(raw[copied:i])
			b.WriteString(clean)
			copied = end
		}
		i = end
	}
	if copied == 0 {
		return raw
	}
	b.WriteString(raw[copied:])
	return b.String()
}

// endOfString returns where the string ends that begins at from.
func endOfString(raw string, from int) int {
	end := from + 1
	for end < len(raw) && raw[end] != '"' {
		if raw[end] == '\\' {
			end++
		}
		end++
	}
	return min(end+1, len(raw))
}

// endOfNumber returns where the number ends that begins at from.
func endOfNumber(raw string, from int) int {
	end := from + 1
	for end < len(raw) && strings.IndexByte("0123456789.eE+-", raw[end]) >= 0 {
		end++
	}
	return end
}

// quote writes a string as JSON.
func quote(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return string(raw)
}
