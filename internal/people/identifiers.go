package people

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/verobridge/verobridge/internal/event"
)

// Kind is what an identifier identifies a person by.
type Kind string

// The kinds of identifiers. A user is one of all sources, and so is an
// anonymous visitor here: who was erased under an id is erased everywhere.
const (
	User      Kind = "user"
	Anonymous Kind = "anonymous"
	Email     Kind = "email"
)

// Identifier is something that a person is known by.
type Identifier struct {
	Kind  Kind
	Value string
}

// folded returns the identifier in the form in which it is compared: the case of
// an address, and the white space around it, do not count.
func (id Identifier) folded() Identifier {
	if id.Kind == Email {
		id.Value = strings.ToLower(strings.TrimSpace(id.Value))
	}
	return id
}

// Identifiers returns what an event names its person by. The anonymousId counts
// only where there is no userId: people share devices. An id that looks like an
// address counts as one as well: Vero's events have it as anonymousId, and events
// without a userId go to Vero under it.
func Identifiers(e event.Event) []Identifier {
	if e.Type == event.Rejected {
		e = event.Event{Body: json.RawMessage(e.Get("body").String())}
		if !json.Valid(e.Body) {
			return nil
		}
	}
	user := cmp.Or(e.UserID(), e.TraitID())
	all := []Identifier{{User, user}, {Email, e.Email()}}
	if user == "" {
		all = append(all, Identifier{Anonymous, e.AnonymousID()})
	}
	if previous := e.PreviousID(); previous != "" {
		all = append(all, Identifier{User, previous}, Identifier{Anonymous, previous})
	}
	for _, id := range slices.Clone(all) {
		if id.Kind != Email && strings.Contains(id.Value, "@") {
			all = append(all, Identifier{Email, id.Value})
		}
	}
	return slices.DeleteFunc(all, func(id Identifier) bool { return id.Value == "" })
}
