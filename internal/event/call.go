package event

import (
	"strings"

	"github.com/tidwall/gjson"
)

// call is an event as sent, taken apart: the fields that the server judges or
// stamps by name, and all others as they came.
type call struct {
	kind, messageID, userID, anonymousID, previousID, groupID, event string

	timestamp, originalTimestamp, sentAt, channel gjson.Result
	context, integrations, properties, traits     gjson.Result

	// corrected says that a server has corrected the timestamp already.
	corrected bool

	rest members
	size int // of the call as sent, in bytes
}

// read takes a call apart. Where a key is repeated the last one counts, as in
// every common JSON decoder.
func read(v gjson.Result) (*call, *RejectError) {
	c := &call{size: len(v.Raw)}
	var kind, action gjson.Result
	var messageID, userID, anonymousID, previousID, groupID gjson.Result
	var snakeUserID, snakeAnonymousID gjson.Result
	v.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "type":
			kind = value
		case "messageId":
			messageID = value
		case "userId":
			userID = value
		case "anonymousId":
			anonymousID = value
		case "previousId":
			previousID = value
		case "groupId":
			groupID = value
		case "timestamp":
			c.timestamp = value
		case "originalTimestamp":
			c.originalTimestamp = value
		case "sentAt":
			c.sentAt = value
		case "channel":
			c.channel = value
		case "context":
			c.context = value
		case "integrations":
			c.integrations = value
		case "properties":
			c.properties = value
		case "traits":
			c.traits = value
		case "writeKey", "receivedAt":
			// A secret, and the server's to say.
		case "action":
			action = value
			c.rest.set(key, value)
		case "user_id":
			snakeUserID = value
			c.rest.set(key, value)
		case "anonymous_id":
			snakeAnonymousID = value
			c.rest.set(key, value)
		case "event":
			c.event = ""
			if value.Type == gjson.String {
				c.event = strings.TrimSpace(value.Str)
			}
			c.rest.set(key, value)
		default:
			c.rest.set(key, value)
		}
		return true
	})

	for _, id := range []struct {
		name string
		from gjson.Result
		into *string
	}{
		{"messageId", messageID, &c.messageID},
		{"userId", userID, &c.userID},
		{"anonymousId", anonymousID, &c.anonymousID},
		{"previousId", previousID, &c.previousID},
		{"groupId", groupID, &c.groupID},
	} {
		text, ok := idText(id.from)
		if !ok {
			return nil, reject(ReasonInvalidID, "%s must be a string or a number, this is %s", id.name, kindOf(id.from))
		}
		*id.into = text
	}
	// Older clients say action for type, and the examples of Segment's email
	// spec write user_id for userId.
	if c.kind = kind.String(); c.kind == "" {
		c.kind = action.String()
	}
	if c.userID == "" {
		c.userID, _ = idText(snakeUserID)
	}
	if c.anonymousID == "" {
		c.anonymousID, _ = idText(snakeAnonymousID)
	}
	if c.timestamp.Type == gjson.Null {
		c.timestamp = c.originalTimestamp
	}

	for _, f := range []struct {
		name  string
		value *gjson.Result
	}{
		{"context", &c.context},
		{"integrations", &c.integrations},
		{"properties", &c.properties},
		{"traits", &c.traits},
	} {
		if err := object(f.name, f.value); err != nil {
			return nil, err
		}
	}
	return c, nil
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
// nothing for null and blank. Other kinds of value are no id. Postgres has no
// NUL in a text, so an id has none either.
func idText(v gjson.Result) (string, bool) {
	switch v.Type {
	case gjson.String:
		id := strings.ToValidUTF8(v.Str, "\uFFFD")
		return strings.TrimSpace(strings.ReplaceAll(id, "\x00", "")), true
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
	case v.Type == gjson.Null, v.IsArray() && !v.Get("0").Exists():
		*v = gjson.Result{}
		return nil
	default:
		return reject(ReasonInvalidField, "%s must be an object, this is %s", name, kindOf(*v))
	}
}

// kindOf names a JSON value for people.
func kindOf(v gjson.Result) string {
	switch {
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

// fields counts the members of all objects in a JSON value, by their colons.
func fields(raw string) int {
	n, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case b == '"':
			quoted = !quoted
		case b == '\\':
			i++ // only a string has one, and it never ends the string
		case b == ':' && !quoted:
			n++
		}
	}
	return n
}
