package mockvero

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestEffects(t *testing.T) {
	t.Parallel()
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	user := func(id, email string) User {
		return User{ID: id, Email: email, Subscribed: true, Data: map[string]json.RawMessage{}}
	}
	with := func(u User, change func(*User)) User {
		change(&u)
		return u
	}
	const jane = "jane@example.com"
	tests := map[string]struct {
		calls   []string
		users   []User
		deleted []string
	}{
		"identify creates, then merges": {
			calls: []string{
				`POST users/track {"auth_token":"T","id":1,"email":"jane@example.com","data":{"a":1,"b":1},"channels":[{"type":"push"}]}`,
				`POST users/track {"auth_token":"T","id":"1","data":{"b":12345678901234567890,"c":null}}`,
			},
			users: []User{with(user("1", jane), func(u *User) {
				u.Data = map[string]json.RawMessage{"a": raw("1"), "b": raw("12345678901234567890"), "c": raw("null")}
				u.Channels = raw(`[{"type":"push"}]`)
			})},
		},
		"data null is none": {
			calls: []string{`POST users/track {"auth_token":"T","id":"1","data":null}`},
			users: []User{user("1", "")},
		},
		"an address alone is the id": {
			calls: []string{`POST users/track {"auth_token":"T","email":"jane@example.com"}`},
			users: []User{user(jane, jane)},
		},
		"an event by address does not find the person who has it": {
			calls: []string{
				`POST users/track {"auth_token":"T","id":"1","email":"jane@example.com"}`,
				`POST events/track {"auth_token":"T","identity":{"email":"jane@example.com"},"event_name":"E"}`,
			},
			users: []User{user("1", jane), with(user(jane, jane), func(u *User) { u.Events = []Event{{Name: "E"}} })},
		},
		"an event creates its person and updates the address": {
			calls: []string{
				`POST events/track {"auth_token":"T","identity":{"id":"1"},"event_name":"A","data":{"x":1.10},"extras":{"source":"segment","created_at":"2026-06-06T10:15:30+0000"}}`,
				`POST events/track {"auth_token":"T","identity":{"id":"1","email":"jane@example.com"},"event_name":"B"}`,
			},
			users: []User{with(user("1", jane), func(u *User) {
				u.Events = []Event{{Name: "A", Data: raw(`{"x":1.10}`), Source: "segment", CreatedAt: "2026-06-06T10:15:30+0000"}, {Name: "B"}}
			})},
		},
		"edit changes, but creates nobody": {
			calls: []string{
				`POST users/track {"auth_token":"T","id":"1"}`,
				`PUT users/edit {"auth_token":"T","id":"1","changes":{"a":1}}`,
				`PUT users/edit {"auth_token":"T","id":"2","changes":{"a":1}}`,
			},
			users: []User{with(user("1", ""), func(u *User) { u.Data["a"] = raw("1") })},
		},
		"reidentify renames": {
			calls: []string{
				`POST users/track {"auth_token":"T","id":"old","data":{"a":1}}`,
				`PUT users/reidentify {"auth_token":"T","id":"old","new_id":"new"}`,
			},
			users: []User{with(user("new", ""), func(u *User) { u.Data["a"] = raw("1") })},
		},
		"reidentify merges": {
			calls: []string{
				`POST users/track {"auth_token":"T","id":"old","email":"jane@example.com","data":{"a":1,"b":1}}`,
				`PUT users/tags/edit {"auth_token":"T","id":"old","add":["x"]}`,
				`POST events/track {"auth_token":"T","identity":{"id":"old"},"event_name":"A"}`,
				`POST users/unsubscribe {"auth_token":"T","id":"old"}`,
				`POST users/track {"auth_token":"T","id":"new","data":{"b":2}}`,
				`POST events/track {"auth_token":"T","identity":{"id":"new"},"event_name":"B"}`,
				`PUT users/reidentify {"auth_token":"T","id":"old","new_id":"new"}`,
				`PUT users/reidentify {"auth_token":"T","id":"old","new_id":"new"}`,
			},
			users: []User{with(user("new", jane), func(u *User) {
				u.Data = map[string]json.RawMessage{"a": raw("1"), "b": raw("2")}
				u.Tags = []string{"x"}
				u.Subscribed = false
				u.Events = []Event{{Name: "A"}, {Name: "B"}}
			})},
		},
		"unsubscribe and resubscribe": {
			calls: []string{
				`POST users/track {"auth_token":"T","id":"1"}`,
				`POST users/track {"auth_token":"T","id":"2"}`,
				`POST users/unsubscribe {"auth_token":"T","id":"1"}`,
				`POST users/unsubscribe {"auth_token":"T","id":"2"}`,
				`POST users/resubscribe {"auth_token":"T","id":"2"}`,
			},
			users: []User{with(user("1", ""), func(u *User) { u.Subscribed = false }), user("2", "")},
		},
		"tags; to remove one that is not there is nothing": {
			calls: []string{
				`POST users/track {"auth_token":"T","id":"1"}`,
				`PUT users/tags/edit {"auth_token":"T","id":"1","add":["b","a","b"],"remove":["z"]}`,
				`PUT users/tags/edit {"auth_token":"T","id":"1","add":["c"],"remove":["a"]}`,
			},
			users: []User{with(user("1", ""), func(u *User) { u.Tags = []string{"b", "c"} })},
		},
		"delete is final, also for events": {
			calls: []string{
				`POST events/track {"auth_token":"T","identity":{"id":"1"},"event_name":"A"}`,
				`POST users/delete {"auth_token":"T","id":"1"}`,
			},
			deleted: []string{"1"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := New(Options{Now: func() time.Time { c.at = c.at.Add(time.Second); return c.at }})
			base := start(t, s)
			must(t, base, tt.calls...)
			want := make(map[string]User)
			for _, u := range tt.users {
				want[u.ID] = u
			}
			got := s.Effects()
			if diff := cmp.Diff(want, got.Users, cmpopts.IgnoreFields(Event{}, "At"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("users (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.deleted, got.Deleted, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("deleted (-want +got):\n%s", diff)
			}
		})
	}
}
