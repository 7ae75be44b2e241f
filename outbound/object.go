package outbound

import (
	"bytes"
	"encoding/json"

	"github.com/tidwall/gjson"
)

// object writes one JSON object, member by member, from parts that are JSON
// already. Parts keep their bytes, so numbers keep their digits, and members
// keep their order, so that the same event always makes the same body.
type object struct{ buf []byte }

// raw adds a member whose value is JSON.
func (o *object) raw(key, value string) { o.member(string(quote(key)), value) }

// text adds a member whose value is a string.
func (o *object) text(key, value string) { o.raw(key, string(quote(value))) }

// textIfAny adds a member whose value is a string, unless that is empty.
func (o *object) textIfAny(key, value string) {
	if value != "" {
		o.text(key, value)
	}
}

// textOnce adds a member whose value is a string, unless that is empty or the
// object has one of that name.
func (o *object) textOnce(key, value string) {
	if value != "" && !o.has(key) {
		o.text(key, value)
	}
}

// members adds the members of another object under the names that rename gives
// them; it leaves out those for which rename returns "". What is no object has
// no members.
func (o *object) members(of gjson.Result, rename func(key string) string) {
	if !of.IsObject() {
		return
	}
	of.ForEach(func(key, value gjson.Result) bool {
		switch name := rename(key.Str); name {
		case "":
		case key.Str:
			o.member(key.Raw, value.Raw)
		default:
			o.raw(name, value.Raw)
		}
		return true
	})
}

func (o *object) member(rawKey, rawValue string) {
	if len(o.buf) == 0 {
		o.buf = append(o.buf, '{')
	} else {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(o.buf, rawKey...)
	o.buf = append(o.buf, ':')
	o.buf = append(o.buf, rawValue...)
}

// has says whether a member of that name was added.
func (o *object) has(name string) bool { return !o.empty() && has(gjson.Parse(o.String()), name) }

func (o *object) empty() bool { return len(o.buf) == 0 }

// String returns the object as JSON, {} where nothing was added.
func (o *object) String() string {
	if o.empty() {
		return "{}"
	}
	return string(o.buf) + "}"
}

// has says whether a JSON object has a member of that name. gjson paths would
// give dots and stars in names a meaning.
func has(of gjson.Result, name string) bool {
	if !of.IsObject() {
		return false
	}
	found := false
	of.ForEach(func(key, _ gjson.Result) bool {
		found = key.Str == name
		return !found
	})
	return found
}

// quote returns s as a JSON string. Unlike json.Marshal it leaves <, > and &
// readable: bodies are shown to people.
func quote(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // a string always encodes
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
