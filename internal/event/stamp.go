package event

import (
	"encoding/json"
	"time"

	"github.com/tidwall/gjson"
)

// stamped writes the call as accepted: the judged fields in their canonical
// form, the server's stamps, and every other field as it came.
func (c *call) stamped(s Stamp, received time.Time) []byte {
	o := newObject(512)
	o.text("type", c.kind)
	o.text("messageId", c.messageID)
	o.textIfAny("userId", c.userID)
	o.textIfAny("anonymousId", c.anonymousID)
	o.textIfAny("previousId", c.previousID)
	o.textIfAny("groupId", c.groupID)

	sentAt := c.sentAt.String()
	if sentAt == "" {
		sentAt = s.SentAt
	}
	sent, _ := ParseTime(sentAt)
	happened := received
	if original, ok := ParseTime(c.timestamp.String()); ok {
		happened = correct(original, sent, received)
	}
	if c.timestamp.Exists() {
		// As sent, even where it is no time: the warehouse keeps it.
		o.raw("originalTimestamp", c.timestamp.Raw)
	} else {
		o.text("originalTimestamp", FormatTime(received))
	}
	o.text("timestamp", FormatTime(happened))
	o.textIfAny("sentAt", sentAt)
	o.text("receivedAt", FormatTime(received))
	switch {
	case s.Channel != "":
		o.text("channel", s.Channel)
	case c.channel.Type == gjson.String:
		o.raw("channel", c.channel.Raw)
	}

	o.rawIfAny("context", c.stampedContext(s))
	o.rawIfAny("integrations", merge(s.Integrations, c.integrations.Raw, nil))
	o.rawIfAny("properties", []byte(c.properties.Raw))
	o.rawIfAny("traits", []byte(c.trait.Raw))
	for _, m := range c.rest {
		o.member(m.key, m.value)
	}
	return o.close()
}

// stampedContext merges the event's context over the envelope's and adds the
// caller's address where Segment would: for client calls, and for others that
// ask for it with context.direct.
func (c *call) stampedContext(s Stamp) []byte {
	var extra []member
	direct := s.Channel == "client" || c.context.Get("direct").Bool()
	if s.IP != "" && direct && !c.context.Get("ip").Exists() && !gjson.GetBytes(s.Context, "ip").Exists() {
		extra = []member{{`"ip"`, string(quote(s.IP))}}
	}
	return merge(s.Context, c.context.Raw, extra)
}

// merge lays the object over on top of the object under, key by key, and adds
// extra. It returns nil where nothing is given at all.
func merge(under []byte, over string, extra []member) []byte {
	if len(under) == 0 && len(extra) == 0 {
		return []byte(over)
	}
	o := newObject(len(under) + len(over) + 64)
	top := gjson.Parse(over)
	seen := make(map[string]bool)
	top.ForEach(func(key, _ gjson.Result) bool {
		seen[key.Str] = true
		return true
	})
	gjson.ParseBytes(under).ForEach(func(key, value gjson.Result) bool {
		if !seen[key.Str] {
			o.member(key.Raw, value.Raw)
		}
		return true
	})
	top.ForEach(func(key, value gjson.Result) bool {
		o.member(key.Raw, value.Raw)
		return true
	})
	for _, m := range extra {
		o.member(m.key, m.value)
	}
	return o.close()
}

// withoutWriteKey returns a call without its write key, for keeping a refused
// one. What is no object has none.
func withoutWriteKey(raw []byte) []byte {
	v := gjson.ParseBytes(raw)
	if !v.IsObject() || !v.Get("writeKey").Exists() {
		return raw
	}
	o := newObject(len(raw))
	v.ForEach(func(key, value gjson.Result) bool {
		if key.Str != "writeKey" {
			o.member(key.Raw, value.Raw)
		}
		return true
	})
	return o.close()
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
