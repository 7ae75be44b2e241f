package event

import (
	"encoding/json"

	"github.com/tidwall/gjson"
)

// merge lays the object over on top of the object under, key by key. Either
// may be empty.
func merge(under []byte, over string) []byte {
	if len(under) == 0 {
		return []byte(over)
	}
	var merged members
	gjson.ParseBytes(under).ForEach(merged.set)
	gjson.Parse(over).ForEach(merged.set)
	o := newObject(len(under) + len(over))
	for _, m := range merged.list {
		o.member(m.key, m.value)
	}
	return o.close()
}

// members are the fields of an object, each key once, in the order in which
// the keys came first.
type members struct {
	list []member
	at   map[string]int // decoded key to index in list
}

// member is one field. Both parts are raw JSON.
type member struct{ key, value string }

// set adds a field or replaces its value. It returns true, so that it can be
// the iterator of a gjson.Result.
func (m *members) set(key, value gjson.Result) bool {
	if i, again := m.at[key.Str]; again {
		m.list[i].value = value.Raw
		return true
	}
	if m.at == nil {
		m.at = make(map[string]int)
	}
	m.at[key.Str] = len(m.list)
	m.list = append(m.list, member{key.Raw, value.Raw})
	return true
}

// objectWriter writes one JSON object from parts that are JSON already.
type objectWriter struct{ buf []byte }

func newObject(size int) *objectWriter {
	return &objectWriter{buf: append(make([]byte, 0, size), '{')}
}

func (o *objectWriter) member(rawKey, rawValue string) {
	if len(o.buf) > 1 {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(o.buf, rawKey...)
	o.buf = append(o.buf, ':')
	o.buf = append(o.buf, rawValue...)
}

func (o *objectWriter) raw(key, rawValue string) { o.member(`"`+key+`"`, rawValue) }

func (o *objectWriter) text(key, value string) { o.raw(key, string(quote(value))) }

func (o *objectWriter) textIfAny(key, value string) {
	if value != "" {
		o.text(key, value)
	}
}

func (o *objectWriter) rawIfAny(key string, rawValue []byte) {
	if len(rawValue) > 0 {
		o.raw(key, string(rawValue))
	}
}

func (o *objectWriter) close() []byte { return append(o.buf, '}') }

func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return b
}
