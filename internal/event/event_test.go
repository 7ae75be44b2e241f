package event_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/event"
)

func TestEmail(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"type":"identify","userId":"u","traits":{"email":"a@example.com"},"context":{"traits":{"email":"b@example.com"}}}`: "a@example.com",
		`{"type":"identify","userId":"u","traits":{"email":""},"context":{"traits":{"email":"b@example.com"}}}`:              "b@example.com",
		`{"type":"track","event":"Invited","userId":"u","context":{"traits":{"email":"b@example.com"}}}`:                     "b@example.com",
		`{"type":"track","event":"Invited","userId":"u","properties":{"email":"invitee@example.com"}}`:                       "",
		`{"type":"group","groupId":"g","userId":"u","traits":{"email":"office@example.com"}}`:                                "",
		`{"type":"identify","userId":"u","traits":{"email":5}}`:                                                              "",
	} {
		if got := accept(t, raw, event.Stamp{}).Email(); got != want {
			t.Errorf("Email of %s is %q, want %q", raw, got, want)
		}
	}
}

func TestTraitID(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"type":"identify","anonymousId":"a","traits":{"id":7,"userId":"x"},"context":{"traits":{"id":"c"}}}`: "x",
		`{"type":"identify","anonymousId":"a","traits":{"id":7},"context":{"traits":{"userId":"c"}}}`:          "7",
		`{"type":"track","event":"x","anonymousId":"a","context":{"traits":{"id":"c"}}}`:                       "c",
		`{"type":"group","groupId":"g","anonymousId":"a","traits":{"id":"the group's"}}`:                       "",
		`{"type":"identify","anonymousId":"a","traits":{"id":{"x":1},"userId":""}}`:                            "",
	} {
		if got := accept(t, raw, event.Stamp{}).TraitID(); got != want {
			t.Errorf("TraitID of %s is %q, want %q", raw, got, want)
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"type":"track","event":"Order Completed","userId":"u","name":"no"}`:   "Order Completed",
		`{"type":"page","userId":"u","name":"Home","properties":{"name":"no"}}`: "Home",
		`{"type":"page","userId":"u","name":null,"properties":{"name":"Home"}}`: "Home",
		`{"type":"screen","userId":"u","properties":{"name":"Main"}}`:           "Main",
		`{"type":"page","userId":"u"}`:                                          "",
		`{"type":"identify","userId":"u","name":"no"}`:                          "",
	} {
		if got := accept(t, raw, event.Stamp{}).Name(); got != want {
			t.Errorf("Name of %s is %q, want %q", raw, got, want)
		}
	}
}

func TestPeople(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][]string{
		`{"type":"track","event":"x","userId":"u","anonymousId":"a","context":{"traits":{"email":"e"}}}`: {"user:u", "anonymous:a"},
		`{"type":"track","event":"x","anonymousId":"a","context":{"traits":{"email":"e"}}}`:              {"anonymous:a", "email:e"},
		`{"type":"identify","anonymousId":"a","traits":{"id":7}}`:                                        {"anonymous:a", "user:7"},
		`{"type":"alias","userId":"u","previousId":"p"}`:                                                 {"user:u", "user:p", "anonymous:p"},
	} {
		if diff := cmp.Diff(want, accept(t, raw, event.Stamp{}).People()); diff != "" {
			t.Errorf("People of %s (-want +got):\n%s", raw, diff)
		}
	}
}
