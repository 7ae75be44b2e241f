package outbound

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/verobridge/verobridge/internal/event"
)

// maxVeroText is the length that ids, e-mail addresses and event names must
// stay under, in characters (getvero-docs, "Track events").
const maxVeroText = 255

// person is how Vero knows somebody. The zero person is nobody.
type person struct{ id, email string }

// personOf returns whom the event is about. Package outbound's documentation
// says why an address can stand in for an id and why nothing else can.
func personOf(e event.Event) person {
	p := person{id: e.UserID(), email: e.Email()}
	switch {
	case p.id == "" && isEmail(p.email):
		p.id = p.email
	case p.email == "" && isEmail(p.id):
		p.email = p.id
	}
	return p
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
