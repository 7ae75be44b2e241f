package outbound

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// maxVeroText is the length that ids, e-mail addresses and event names must
// stay under, in characters (getvero-docs, "Track events").
const maxVeroText = 255

// person is how Vero knows somebody. The zero person is nobody.
type person struct{ id, email string }

// personOf returns whom the event is about. Package outbound's documentation
// says why an address can stand in for an id and what else should not.
func (m mapping) personOf(e event.Event) person {
	p := person{email: m.emailOf(e)}
	for _, from := range m.ID {
		if p.id == "" {
			p.id = m.idFrom(from, e, p.email)
		}
	}
	return p
}

// idFrom returns the id that the event has in one of the places of Mapping.ID.
func (m mapping) idFrom(place string, e event.Event, email string) string {
	switch place {
	case idOfUser:
		if id := e.UserID(); id != "" {
			return id
		}
		if path := m.command(e); path == pathUnsubscribe || path == pathResubscribe {
			// Segment's browser library names the person so in these calls.
			return e.Get("properties.id").String()
		}
	case idOfTraits:
		return e.TraitID()
	case idOfAnonymous:
		return e.AnonymousID()
	case idOfEmail:
		if isEmail(email) {
			return email
		}
	}
	return ""
}

func (m mapping) takesID(place string) bool { return slices.Contains(m.ID, place) }

// emailOf returns the address of the event's person, as Mapping.Email says.
func (m mapping) emailOf(e event.Event) string {
	if email := e.Email(); email != "" {
		return email
	}
	id := cmp.Or(e.UserID(), e.TraitID())
	switch {
	case m.Email == asRudderStack:
		if email := e.Get("properties.email"); email.Type == gjson.String {
			return email.Str
		}
	case isEmail(id) && (m.Email == asDefault || e.Type == event.Identify):
		return id
	}
	return ""
}

// isEmail says whether s can only be meant as an e-mail address. It decides
// whether an id is one; Vero itself judges the addresses.
func isEmail(s string) bool {
	name, host, found := strings.Cut(s, "@")
	return found && name != "" && host != "" && !strings.ContainsAny(host, "@") && !strings.ContainsAny(s, " \t\r\n,;<>")
}

// checkLength returns an error that names the value, if it is too long for
// Vero.
func checkLength(name, value string) error {
	if n := utf8.RuneCountInString(value); n >= maxVeroText {
		return fmt.Errorf("%s has %d characters, Vero takes fewer than %d", name, n, maxVeroText)
	}
	return nil
}

// write puts the person into a body as id and email.
func (p person) write(o *object) {
	o.text("id", p.id)
	o.textIfAny("email", p.email)
}
