package mockvero

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/tidwall/gjson"
)

// Effects is what the calls have led to.
type Effects struct {
	// Users are the people, by id.
	Users map[string]User `json:"users"`
	// Deleted lists the ids of people that were deleted.
	Deleted []string `json:"deleted,omitempty"`
	Totals
}

// Totals counts what has happened since the start.
type Totals struct {
	// Calls and Events count all calls, and the events that were not dropped as
	// repetitions, also those that are no longer remembered.
	Calls  int `json:"calls"`
	Events int `json:"events"`
	// Emails counts what was reported to the bridge, by webhook type.
	Emails map[string]int `json:"emails,omitempty"`
	// EmailsDropped counts emails that were not made because too many were
	// under way, and reports that the bridge did not take.
	EmailsDropped int `json:"emails_dropped,omitempty"`
}

// User is a person.
type User struct {
	ID    string                     `json:"id"`
	Email string                     `json:"email,omitempty"`
	Data  map[string]json.RawMessage `json:"data,omitempty"`
	// Channels is the last value of users/track.
	Channels json.RawMessage `json:"channels,omitempty"`
	Tags     []string        `json:"tags,omitempty"` // sorted
	// Subscribed is whether the person wants marketing.
	Subscribed bool `json:"subscribed"`
	// Suppressed is whether Vero itself stopped mailing, after a bounce or a
	// complaint.
	Suppressed bool `json:"suppressed,omitempty"`
	// Events are those that were not dropped as repetitions, in order.
	Events []Event `json:"events,omitempty"`
}

// Event is an event as Vero keeps it.
type Event struct {
	Name      string          `json:"name"`
	Data      json.RawMessage `json:"data,omitempty"`
	Source    string          `json:"source,omitempty"`
	CreatedAt string          `json:"created_at,omitempty"` // as sent
	At        time.Time       `json:"at"`                   // when it came
}

// Mailable says whether the person can get emails.
func (u *User) Mailable() bool { return u.Email != "" && u.Subscribed && !u.Suppressed }

func (u *User) merge(data gjson.Result) {
	if !data.IsObject() {
		return
	}
	data.ForEach(func(key, value gjson.Result) bool {
		u.Data[key.Str] = json.RawMessage(value.Raw)
		return true
	})
}

func (u *User) editTags(add, remove gjson.Result) {
	for _, tag := range add.Array() {
		if at, found := slices.BinarySearch(u.Tags, tag.String()); !found {
			u.Tags = slices.Insert(u.Tags, at, tag.String())
		}
	}
	for _, tag := range remove.Array() {
		if at, found := slices.BinarySearch(u.Tags, tag.String()); found {
			u.Tags = slices.Delete(u.Tags, at, at+1)
		}
	}
}

// state is what the server remembers. Server.mu guards it.
type state struct {
	users   map[string]*User
	deleted []string
	events  int
	seen    recent
	keep    int
}

func newState(window time.Duration, keep int) state {
	return state{
		users: make(map[string]*User),
		seen:  recent{window: window, until: make(map[digest]time.Time)},
		keep:  keep,
	}
}

// find returns a person, or nil. An address without an id is looked up as an
// id, and only so: that is Vero's default.
func (s *state) find(id, email string) *User { return s.users[cmp.Or(id, email)] }

// upsert returns a person, made if need be, with the address if there is one.
func (s *state) upsert(id, email string) *User {
	u := s.find(id, email)
	if u == nil {
		u = &User{ID: cmp.Or(id, email), Subscribed: true, Data: make(map[string]json.RawMessage)}
		s.users[u.ID] = u
	}
	u.Email = cmp.Or(email, u.Email)
	return u
}

// reidentify gives a person a new id. Where that id is taken the two become
// one: what the new id had wins, an unsubscription of either stays.
func (s *state) reidentify(id, newID string) {
	old := s.users[id]
	if old == nil || id == newID {
		return
	}
	delete(s.users, id)
	u := s.users[newID]
	if u == nil {
		old.ID = newID
		s.users[newID] = old
		return
	}
	u.Email = cmp.Or(u.Email, old.Email)
	for name, value := range old.Data {
		if _, has := u.Data[name]; !has {
			u.Data[name] = value
		}
	}
	if u.Channels == nil {
		u.Channels = old.Channels
	}
	u.Tags = slices.Compact(slices.Sorted(slices.Values(append(u.Tags, old.Tags...))))
	u.Subscribed = u.Subscribed && old.Subscribed
	u.Suppressed = u.Suppressed || old.Suppressed
	u.Events = append(u.Events, old.Events...)
	slices.SortStableFunc(u.Events, func(a, b Event) int { return a.At.Compare(b.At) })
}

func (s *state) delete(id string) {
	if _, has := s.users[id]; has {
		delete(s.users, id)
		s.deleted = append(s.deleted, id)
	}
}

// effects returns a copy that later calls do not change.
func (s *state) effects() Effects {
	e := Effects{Users: make(map[string]User, len(s.users)), Deleted: slices.Clone(s.deleted)}
	for id, u := range s.users {
		c := *u
		c.Data = maps.Clone(u.Data)
		c.Tags = slices.Clone(u.Tags)
		c.Events = slices.Clone(u.Events)
		e.Users[id] = c
	}
	return e
}
