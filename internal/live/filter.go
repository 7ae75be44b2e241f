package live

import (
	"strings"

	"github.com/verobridge/verobridge/internal/event"
)

// Filter picks events. Empty fields pick all.
type Filter struct {
	// Source is the name of a source.
	Source string
	// Event is a part of the event's name, in any case, or the type of a call.
	Event string
	// Person is a userId, an anonymousId or an e-mail address, whole.
	Person string
	// MessageID is that of one event.
	MessageID string
}

// Matches says whether the filter picks an event.
func (f Filter) Matches(e event.Event) bool {
	return (f.Source == "" || f.Source == e.Source) &&
		(f.MessageID == "" || f.MessageID == e.ID) &&
		(f.Event == "" || f.Event == string(e.Type) || contains(e.Name(), f.Event)) &&
		(f.Person == "" || f.Person == e.UserID() || f.Person == e.AnonymousID() || strings.EqualFold(f.Person, e.Email()))
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
