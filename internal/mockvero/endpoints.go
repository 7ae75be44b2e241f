package mockvero

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// maxText is the length that ids, addresses and event names must stay under.
const maxText = 255

// endpoint is one call of the Track API: what it needs and what it does.
type endpoint struct {
	check   func(params) error // nil: neither parameters nor a token
	apply   func(*state, params, time.Time) (*email, bool)
	message string // the answer of an endpoint without check
}

// endpoints are the calls that Vero answers, by method and path. Old clients
// use POST for reidentify and DELETE for delete.
var endpoints = map[string]endpoint{
	"POST users/track":       {check: checkUsersTrack, apply: applyUsersTrack},
	"PUT users/edit":         {check: checkUsersEdit, apply: applyUsersEdit},
	"PUT users/reidentify":   {check: checkReidentify, apply: applyReidentify},
	"POST users/reidentify":  {check: checkReidentify, apply: applyReidentify},
	"POST users/unsubscribe": {check: checkPerson, apply: applySubscribed(false)},
	"POST users/resubscribe": {check: checkPerson, apply: applySubscribed(true)},
	"POST users/delete":      {check: checkID, apply: applyDelete},
	"DELETE users/delete":    {check: checkID, apply: applyDelete},
	"PUT users/tags/edit":    {check: checkTags, apply: applyTags},
	"POST events/track":      {check: checkEventsTrack, apply: applyEventsTrack},
	"GET heartbeat":          {message: "Vero api is up"},
}

func checkUsersTrack(p params) error {
	return errors.Join(checkPerson(p), checkObject(p, "data"))
}

func checkUsersEdit(p params) error {
	if !p.body.Get("changes").IsObject() {
		return errors.New("changes must be an object")
	}
	return checkPerson(p)
}

func checkReidentify(p params) error {
	return errors.Join(checkID(p), checkText("new_id", p.text("new_id"), true))
}

func checkTags(p params) error {
	add, remove := p.body.Get("add"), p.body.Get("remove")
	if !add.IsArray() && !remove.IsArray() {
		return errors.New("add or remove must be an array")
	}
	return checkPerson(p)
}

func checkEventsTrack(p params) error {
	return errors.Join(
		checkText("event_name", p.text("event_name"), true),
		checkIdentity(p.text("identity.id"), p.text("identity.email")),
		checkObject(p, "data"),
		checkObject(p, "extras"),
	)
}

func checkPerson(p params) error { return checkIdentity(p.text("id"), p.text("email")) }

func checkID(p params) error { return checkText("id", p.text("id"), true) }

func checkIdentity(id, email string) error {
	if id == "" && email == "" {
		return errors.New("id or email is missing")
	}
	if email != "" {
		if name, host, found := strings.Cut(email, "@"); !found || name == "" || host == "" {
			return errors.New("email is not valid")
		}
	}
	return errors.Join(checkText("id", id, false), checkText("email", email, false))
}

func checkText(name, value string, required bool) error {
	switch {
	case required && value == "":
		return fmt.Errorf("%s is missing", name)
	case utf8.RuneCountInString(value) >= maxText:
		return fmt.Errorf("%s is too long", name)
	}
	return nil
}

func checkObject(p params, name string) error {
	if v := p.body.Get(name); v.Exists() && v.Type != gjson.Null && !v.IsObject() {
		return fmt.Errorf("%s must be an object", name)
	}
	return nil
}

func applyUsersTrack(s *state, p params, _ time.Time) (*email, bool) {
	u := s.upsert(p.text("id"), p.text("email"))
	if channels := p.body.Get("channels"); channels.Exists() {
		u.Channels = []byte(channels.Raw)
	}
	u.merge(p.body.Get("data"))
	return nil, false
}

// applyUsersEdit changes a person that exists; it creates none.
func applyUsersEdit(s *state, p params, _ time.Time) (*email, bool) {
	if u := s.find(p.text("id"), p.text("email")); u != nil {
		u.merge(p.body.Get("changes"))
	}
	return nil, false
}

func applyReidentify(s *state, p params, _ time.Time) (*email, bool) {
	s.reidentify(p.text("id"), p.text("new_id"))
	return nil, false
}

func applySubscribed(subscribed bool) func(*state, params, time.Time) (*email, bool) {
	return func(s *state, p params, _ time.Time) (*email, bool) {
		if u := s.find(p.text("id"), p.text("email")); u != nil {
			u.Subscribed = subscribed
		}
		return nil, false
	}
}

func applyDelete(s *state, p params, _ time.Time) (*email, bool) {
	s.delete(p.text("id"))
	return nil, false
}

func applyTags(s *state, p params, _ time.Time) (*email, bool) {
	if u := s.find(p.text("id"), p.text("email")); u != nil {
		u.editTags(p.body.Get("add"), p.body.Get("remove"))
	}
	return nil, false
}

// applyEventsTrack records an event, unless it repeats one, and returns the
// email that it may trigger.
func applyEventsTrack(s *state, p params, now time.Time) (*email, bool) {
	id, address := p.text("identity.id"), p.text("identity.email")
	key := eventKey(p)
	if s.seen.repeated(key, now) {
		return nil, true
	}
	u := s.upsert(id, address)
	e := Event{
		Name:      p.text("event_name"),
		Data:      rawOrNil(p.body.Get("data")),
		Source:    p.text("extras.source"),
		CreatedAt: p.text("extras.created_at"),
		At:        now.UTC(),
	}
	s.events++
	u.Events = appendBounded(u.Events, e, s.keep)
	if !u.Mailable() {
		return nil, false
	}
	return &email{key: key, event: e.Name, userID: u.ID, address: u.Email}, false
}
