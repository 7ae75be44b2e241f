package event

import (
	"encoding/json"
	"time"

	"github.com/tidwall/gjson"
)

// merge lays the object over on top of the object under, key by key. Either
// may be empty.
func merge(under []byte, over string) string {
	if len(under) == 0 {
		return over
	}
	var merged members
	gjson.ParseBytes(under).ForEach(merged.set)
	gjson.Parse(over).ForEach(merged.set)
	o := newObject(len(under) + len(over))
	for _, m := range merged.list {
		o.member(m.key, m.value)
	}
	return string(o.close())
}

// few is how many members are looked through for a key. More are looked up, so
// that an object with thousands takes no longer for each of them.
const few = 16

// members are the fields of an object, each key once, in the order in which
// the keys came first.
type members struct {
	list []member
	at   map[string]int // decoded key to index in list; nil while there are few
}

// member is one field: its decoded name, and key and value as raw JSON.
type member struct{ name, key, value string }

// set adds a field or replaces its value. It returns true, so that it can be
// the iterator of a gjson.Result.
func (m *members) set(key, value gjson.Result) bool {
	if i, again := m.find(key.Str); again {
		m.list[i].value = value.Raw
		return true
	}
	if m.at != nil {
		m.at[key.Str] = len(m.list)
	}
	m.list = append(m.list, member{key.Str, key.Raw, value.Raw})
	return true
}

func (m *members) find(name string) (index int, found bool) {
	if m.at == nil && len(m.list) == few {
		m.at = make(map[string]int)
		for i := range m.list {
			m.at[m.list[i].name] = i
		}
	}
	if m.at != nil {
		index, found = m.at[name]
		return index, found
	}
	for i := range m.list {
		if m.list[i].name == name {
			return i, true
		}
	}
	return 0, false
}

// objectWriter writes one JSON object from parts that are JSON already.
type objectWriter struct{ buf []byte }

func newObject(size int) *objectWriter {
	return &objectWriter{buf: append(make([]byte, 0, size), '{')}
}

func (o *objectWriter) member(rawKey, rawValue string) {
	o.comma()
	o.buf = append(o.buf, rawKey...)
	o.buf = append(o.buf, ':')
	o.buf = append(o.buf, rawValue...)
}

func (o *objectWriter) comma() {
	if len(o.buf) > 1 {
		o.buf = append(o.buf, ',')
	}
}

// key begins a field whose key needs no escapes.
func (o *objectWriter) key(key string) {
	o.comma()
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, key...)
	o.buf = append(o.buf, `":`...)
}

func (o *objectWriter) raw(key, rawValue string) {
	o.key(key)
	o.buf = append(o.buf, rawValue...)
}

func (o *objectWriter) rawIfAny(key, rawValue string) {
	if rawValue != "" {
		o.raw(key, rawValue)
	}
}

func (o *objectWriter) text(key, value string) {
	o.key(key)
	o.buf = appendQuoted(o.buf, value)
}

func (o *objectWriter) textIfAny(key, value string) {
	if value != "" {
		o.text(key, value)
	}
}

func (o *objectWriter) time(key string, t time.Time) {
	o.key(key)
	o.buf = append(o.buf, '"')
	o.buf = appendTime(o.buf, t)
	o.buf = append(o.buf, '"')
}

func (o *objectWriter) close() []byte { return append(o.buf, '}') }

func quote(s string) string { return string(appendQuoted(nil, s)) }

// appendQuoted appends a string as JSON. Most are plain, and need no encoder.
func appendQuoted(buf []byte, s string) []byte {
	if isPlain(s) {
		buf = append(buf, '"')
		buf = append(buf, s...)
		return append(buf, '"')
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return append(buf, b...)
}

// isPlain says whether json.Marshal would leave every byte of s as it is.
func isPlain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}
