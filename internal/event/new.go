package event

import (
	"errors"
	"strings"
	"time"

	analytics "github.com/segmentio/analytics-go/v3"
	"github.com/tidwall/gjson"
)

const (
	// maxIDBytes bounds a messageId by the width of the warehouse's id column,
	// varchar(1024) as Segment has it. Segment itself asks for at most 100.
	maxIDBytes = 1024
	// maxFields bounds the members of a call, those of nested objects included,
	// since each may become a column. It is the number of properties that
	// Segment keeps of an event (segment-docs, connections/rate-limits).
	maxFields = 10_000
	// minFieldBytes is the least that a member takes: "":0 and a comma.
	minFieldBytes = 5
)

// Stamp is what the server knows of a call that the call itself does not say.
type Stamp struct {
	// Source is the name of the source that the write key belongs to.
	Source string
	// Type is the call that the path implies; empty in a batch, where each
	// item says its own.
	Type Type
	// ReceivedAt is the server's clock at arrival.
	ReceivedAt time.Time
	// SentAt is the sentAt of the batch's envelope, as sent. An event's own
	// wins.
	SentAt string
	// Context and Integrations are those of the batch's envelope, JSON objects
	// or nil. Each is merged under the event's, key by key.
	Context, Integrations []byte
	// Channel is "server" or "client", by the path the call came in on; empty
	// leaves the call's own.
	Channel string
	// IP is the caller's address. It is put into context.ip for client calls
	// and where context.direct asks for it, unless the call has one.
	IP string
}

// New judges one call and stamps it. raw must be a valid JSON value; the
// caller has checked that for the whole request, and the event keeps no
// reference to it. The error is always a *RejectError. A call that is a part of
// a larger text is best handed over as text, which need not be copied.
func New[Text ~string | ~[]byte](raw Text, s Stamp) (Event, error) {
	c, rejected := accept(string(raw), s.Type)
	if rejected != nil {
		return Event{}, rejected
	}
	if c.messageID == "" {
		c.messageID = newID()
	}
	return c.accepted(s, s.ReceivedAt.UTC()), nil
}

// accept takes a call apart and judges it. kind, if it is not empty, is the call
// that it is, whatever it says itself.
func accept(raw string, kind Type) (*call, *RejectError) {
	v := gjson.Parse(raw)
	if !v.IsObject() {
		return nil, reject(ReasonNotObject, "an event must be a JSON object, this is %s", kindOf(v))
	}
	if len(raw) > maxFields*minFieldBytes {
		if n := fields(raw); n > maxFields {
			return nil, reject(ReasonTooManyFields, "an event may have %d fields, this one has %d", maxFields, n)
		}
	}
	c, rejected := read(v)
	if rejected != nil {
		return nil, rejected
	}
	if kind != "" {
		c.kind = string(kind)
	}
	return c, c.judge()
}

// accepted makes the event of a call that was judged.
func (c *call) accepted(s Stamp, received time.Time) Event {
	return Event{
		ID:         strings.Clone(c.messageID), // or it would keep the whole text in memory
		Type:       Type(strings.Clone(c.kind)),
		Source:     s.Source,
		ReceivedAt: received,
		Body:       c.stamped(s, received),
	}
}

// judge asks analytics-go whether the call has what its type needs, and says
// what is missing.
func (c *call) judge() *RejectError {
	if len(c.messageID) > maxIDBytes {
		return reject(ReasonLongMessageID, "messageId has %d bytes, at most %d fit", len(c.messageID), maxIDBytes)
	}
	if Type(c.kind) == Alias && c.previousID == "" {
		// Mobile SDKs name the old identity by anonymousId alone.
		c.previousID = c.anonymousID
	}
	err := analytics.ValidateFields(c)
	if err == nil {
		return nil
	}
	var field analytics.FieldError
	if !errors.As(err, &field) {
		return reject(ReasonInvalidField, "%v", err)
	}
	switch field.Name {
	case "Type":
		return reject(ReasonUnknownType, "type must be track, identify, page, screen, group or alias, this is %.100q", c.kind)
	case "Event":
		return reject(ReasonNoEventName, "a track call needs the name of its event, a string in \"event\"")
	case "GroupId":
		return reject(ReasonNoGroupID, "a group call needs a groupId")
	case "PreviousId":
		return reject(ReasonNoPreviousID, "an alias call needs the previousId that userId replaces")
	case "UserId":
		return reject(ReasonNoIdentity, "a %s call needs a userId%s", c.kind, orAnonymous(Type(c.kind)))
	default:
		return reject(ReasonInvalidField, "%v", err)
	}
}

func orAnonymous(t Type) string {
	if t == Alias {
		return ""
	}
	return " or an anonymousId"
}
