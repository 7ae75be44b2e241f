package event

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// Type names one of the six calls of Segment's spec, or Rejected.
type Type string

// The six calls of the Segment spec, by the names they have on the wire.
const (
	Track    Type = "track"
	Identify Type = "identify"
	Page     Type = "page"
	Screen   Type = "screen"
	Group    Type = "group"
	Alias    Type = "alias"
)

// Rejected is the type of an event that holds a call refused at the door. Its
// body is {"reason","detail","body"}, the last being the call as text. Only the
// warehouse wants it.
const Rejected Type = "rejected"

// Event is one accepted call.
type Event struct {
	// ID is the call's messageId: its identity everywhere.
	ID string
	// Type says which call it is.
	Type Type
	// Source is the name of the source whose write key came with the call.
	Source string
	// ReceivedAt is the server's clock at arrival, in UTC.
	ReceivedAt time.Time
	// Body is the whole call as accepted, one JSON object.
	Body json.RawMessage
}

// Get reads the field at a gjson path, such as "context.traits.email". The
// result does not exist where the field is missing.
func (e Event) Get(path string) gjson.Result { return gjson.GetBytes(e.Body, path) }

// UserID returns the userId, or "" where the caller does not know the person.
func (e Event) UserID() string { return e.Get("userId").String() }

// AnonymousID returns the anonymousId, or "". Vero puts the recipient's e-mail
// address here when it has no user id (segment-docs, Vero source).
func (e Event) AnonymousID() string { return e.Get("anonymousId").String() }

// PreviousID returns the id that an alias call replaces, or "".
func (e Event) PreviousID() string { return e.Get("previousId").String() }

// Name returns what the source calls the event: the event of a track call, the
// name of a page or screen, and "" for other types.
func (e Event) Name() string {
	switch e.Type {
	case Track:
		return e.Get("event").String()
	case Page, Screen:
		if name := e.Get("name").String(); name != "" {
			return name
		}
		return e.Get("properties.name").String()
	default:
		return ""
	}
}

// Email returns the person's own address: traits.email, else
// context.traits.email, else "". The traits of a group call are the group's
// and are left out. A property named email is never used: it may be somebody
// else's, an invitee's for example.
func (e Event) Email() string {
	if email := e.Get("traits.email"); e.Type != Group && email.Type == gjson.String && email.Str != "" {
		return email.Str
	}
	if email := e.Get("context.traits.email"); email.Type == gjson.String {
		return email.Str
	}
	return ""
}

// TraitID returns the id that the person's own traits give, for callers that
// send no userId: userId or id of the traits, else of context.traits, else "".
// As with Email, the traits of a group call are the group's.
func (e Event) TraitID() string {
	for _, path := range []string{"traits.userId", "traits.id", "context.traits.userId", "context.traits.id"} {
		if e.Type == Group && strings.HasPrefix(path, "traits.") {
			continue
		}
		if id := e.Get(path); id.Type == gjson.String || id.Type == gjson.Number {
			if text := id.String(); text != "" {
				return text
			}
		}
	}
	return ""
}

// Time returns when the event happened, corrected for clock skew, in UTC. It
// is ReceivedAt where the caller gave no time.
func (e Event) Time() time.Time {
	if t, ok := ParseTime(e.Get("timestamp").String()); ok {
		return t
	}
	return e.ReceivedAt
}

// People returns every id by which the event names a person, with the kind of
// id in front so that a user "x" and an anonymous "x" stay apart. Two events
// that share one of them must reach a destination in the order in which they
// were accepted.
func (e Event) People() []string {
	people := make([]string, 0, 3)
	add := func(kind, id string) {
		if id != "" {
			people = append(people, kind+id)
		}
	}
	add("user:", e.UserID())
	add("anonymous:", e.AnonymousID())
	if e.Type == Alias {
		// The old id may have been used as either kind.
		add("user:", e.PreviousID())
		add("anonymous:", e.PreviousID())
	}
	if e.UserID() == "" {
		add("user:", e.TraitID())
		add("email:", e.Email())
	}
	return people
}
