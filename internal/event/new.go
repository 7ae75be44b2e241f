package event

import (
	"bytes"
	"errors"
	"strings"
	"time"

	analytics "github.com/segmentio/analytics-go/v3"
	"github.com/tidwall/gjson"
)

// maxIDBytes bounds a messageId by the width of the warehouse's id column,
// varchar(1024) as Segment has it. Segment itself asks for at most 100.
const maxIDBytes = 1024

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
// reference to it. The error is always a *RejectError.
func New(raw []byte, s Stamp) (Event, error) {
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '{' {
		return Event{}, reject(ReasonNotObject, "an event must be a JSON object, this is %s", kind(raw))
	}
	c, err := read(raw)
	if err != nil {
		return Event{}, err
	}
	if s.Type != "" {
		c.kind = string(s.Type)
	}
	if err := c.judge(); err != nil {
		return Event{}, err
	}
	if c.messageID == "" {
		c.messageID = newID()
	}
	received := s.ReceivedAt.UTC()
	return Event{
		ID:         c.messageID,
		Type:       Type(c.kind),
		Source:     s.Source,
		ReceivedAt: received,
		Body:       c.stamped(s, received),
	}, nil
}

// call is an event as sent, taken apart: the fields that the server judges or
// stamps by name, and all others as they came.
type call struct {
	kind, messageID, userID, anonymousID, previousID, groupID, event string

	timestamp, sentAt, channel               gjson.Result
	context, integrations, properties, trait gjson.Result

	rest []member
}

// member is one field that passes through untouched. Both are raw JSON.
type member struct{ key, value string }

func read(raw []byte) (*call, *RejectError) {
	c := &call{rest: make([]member, 0, 8)}
	var failed *RejectError
	var action, originalTimestamp gjson.Result
	var userID, anonymousID gjson.Result // the snake_case spellings
	id := func(into *string, name string, v gjson.Result) {
		text, ok := idText(v)
		if !ok && failed == nil {
			failed = reject(ReasonInvalidID, "%s must be a string or a number, this is %s", name, kind([]byte(v.Raw)))
		}
		*into = text
	}
	gjson.ParseBytes(raw).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "writeKey":
		case "type":
			c.kind = value.String()
		case "action":
			action = value
			c.keep(key, value)
		case "messageId":
			id(&c.messageID, key.Str, value)
		case "userId":
			id(&c.userID, key.Str, value)
		case "anonymousId":
			id(&c.anonymousID, key.Str, value)
		case "previousId":
			id(&c.previousID, key.Str, value)
		case "groupId":
			id(&c.groupID, key.Str, value)
		case "user_id":
			userID = value
			c.keep(key, value)
		case "anonymous_id":
			anonymousID = value
			c.keep(key, value)
		case "event":
			if value.Type == gjson.String {
				c.event = value.Str
			}
			c.keep(key, value)
		case "timestamp":
			c.timestamp = value
		case "originalTimestamp":
			originalTimestamp = value
		case "sentAt":
			c.sentAt = value
		case "receivedAt":
		case "channel":
			c.channel = value
		case "context":
			c.context = value
		case "integrations":
			c.integrations = value
		case "properties":
			c.properties = value
		case "traits":
			c.trait = value
		default:
			c.keep(key, value)
		}
		return true
	})
	if failed != nil {
		return nil, failed
	}
	// Older clients say action for type, and the examples of Segment's email
	// spec write user_id for userId.
	if c.kind == "" {
		c.kind = action.String()
	}
	if c.userID == "" {
		c.userID, _ = idText(userID)
	}
	if c.anonymousID == "" {
		c.anonymousID, _ = idText(anonymousID)
	}
	if !c.timestamp.Exists() || c.timestamp.Type == gjson.Null {
		c.timestamp = originalTimestamp
	}
	for _, f := range []struct {
		name  string
		value *gjson.Result
	}{{"context", &c.context}, {"integrations", &c.integrations}, {"properties", &c.properties}, {"traits", &c.trait}} {
		if err := object(f.name, f.value); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// keep remembers a field that passes through. Where a key is repeated the last
// one counts, as in every common JSON decoder.
func (c *call) keep(key, value gjson.Result) {
	for i := range c.rest {
		if c.rest[i].key == key.Raw {
			c.rest[i].value = value.Raw
			return
		}
	}
	c.rest = append(c.rest, member{key.Raw, value.Raw})
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
		return reject(ReasonUnknownType, "type must be track, identify, page, screen, group or alias, this is %q", c.kind)
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

// GetField implements analytics.FieldGetter.
func (c *call) GetField(field string) (any, bool) {
	switch field {
	case "type":
		return c.kind, true
	case "userId":
		return c.userID, true
	case "anonymousId":
		return c.anonymousID, true
	case "previousId":
		return c.previousID, true
	case "groupId":
		return c.groupID, true
	case "event":
		return c.event, true
	default:
		return nil, false
	}
}

// idText returns an id as text: a number with the digits it was sent with,
// nothing for null and blank. Other kinds of value are no id.
func idText(v gjson.Result) (string, bool) {
	switch v.Type {
	case gjson.String:
		return strings.TrimSpace(v.Str), true
	case gjson.Number:
		return v.Raw, true
	case gjson.Null:
		return "", true
	default:
		return "", false
	}
}

// object checks that a field is an object. Absent, null and the empty array,
// which PHP writes for an empty map, count as absent.
func object(name string, v *gjson.Result) *RejectError {
	switch {
	case v.IsObject():
		return nil
	case v.Type == gjson.Null, v.IsArray() && len(v.Array()) == 0:
		*v = gjson.Result{}
		return nil
	default:
		return reject(ReasonInvalidField, "%s must be an object, this is %s", name, kind([]byte(v.Raw)))
	}
}

// kind names a JSON value for people.
func kind(raw []byte) string {
	switch v := gjson.ParseBytes(raw); {
	case v.IsArray():
		return "an array"
	case v.IsObject():
		return "an object"
	case v.Type == gjson.String:
		return "a string"
	case v.Type == gjson.Number:
		return "a number"
	case v.IsBool():
		return "a boolean"
	default:
		return "null"
	}
}
