package event

import (
	"time"

	"github.com/tidwall/gjson"
)

// stamped writes the call as accepted: the judged fields in their canonical
// form, the server's stamps, and every other field as it came.
func (c *call) stamped(s Stamp, received time.Time) []byte {
	const stamps = 256 // about what the server adds
	o := newObject(c.size + len(s.Context) + len(s.Integrations) + stamps)
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
	if c.timestamp.Type != gjson.Null {
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
	o.rawIfAny("integrations", merge(s.Integrations, c.integrations.Raw))
	o.rawIfAny("properties", []byte(c.properties.Raw))
	o.rawIfAny("traits", []byte(c.traits.Raw))
	for _, m := range c.rest.list {
		o.member(m.key, m.value)
	}
	return o.close()
}

// stampedContext merges the event's context over the envelope's and adds the
// caller's address where Segment would: for client calls, and for others that
// ask for it with context.direct.
func (c *call) stampedContext(s Stamp) []byte {
	merged := merge(s.Context, c.context.Raw)
	direct := s.Channel == "client" || gjson.GetBytes(merged, "direct").Bool()
	if s.IP == "" || !direct || gjson.GetBytes(merged, "ip").Exists() {
		return merged
	}
	return merge([]byte(`{"ip":`+string(quote(s.IP))+`}`), string(merged))
}
