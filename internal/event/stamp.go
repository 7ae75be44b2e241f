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
	original, happened := c.times(sentAt, received)
	o.raw("originalTimestamp", original)
	o.time("timestamp", happened)
	o.textIfAny("sentAt", sentAt)
	o.time("receivedAt", received)
	switch {
	case s.Channel != "":
		o.text("channel", s.Channel)
	case c.channel.Type == gjson.String:
		o.raw("channel", c.channel.Raw)
	}

	o.rawIfAny("context", c.stampedContext(s))
	o.rawIfAny("integrations", merge(s.Integrations, c.integrations.Raw))
	o.rawIfAny("properties", c.properties.Raw)
	o.rawIfAny("traits", c.traits.Raw)
	for _, m := range c.rest.list {
		o.member(m.key, m.value)
	}
	return o.close()
}

// times returns when the call happened: by the client's clock, as JSON, and
// corrected.
func (c *call) times(sentAt string, received time.Time) (original string, happened time.Time) {
	original = quote(FormatTime(received))
	if c.timestamp.Type != gjson.Null {
		// As sent, even where it is no time: the warehouse keeps it.
		original = c.timestamp.Raw
	}
	if c.corrected && c.originalTimestamp.Type != gjson.Null {
		original = c.originalTimestamp.Raw
	}
	happened, ok := ParseTime(c.timestamp.String())
	switch {
	case !ok:
		return original, received
	case c.corrected:
		return original, happened
	default:
		sent, _ := ParseTime(sentAt)
		return original, correct(happened, sent, received)
	}
}

// stampedContext merges the event's context over the envelope's and adds the
// caller's address where Segment would: for client calls, and for others that
// ask for it with context.direct.
func (c *call) stampedContext(s Stamp) string {
	merged := merge(s.Context, c.context.Raw)
	if s.IP == "" {
		return merged
	}
	direct := s.Channel == "client" || gjson.Get(merged, "direct").Bool()
	if !direct || gjson.Get(merged, "ip").Exists() {
		return merged
	}
	return merge([]byte(`{"ip":`+quote(s.IP)+`}`), merged)
}
