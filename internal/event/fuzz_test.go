package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/verobridge/verobridge/internal/event"
)

// FuzzNew states what holds for every valid JSON value: it is refused with a
// reason, or it is an event with an id, an owner and a type, whose body says
// the same when it is read again.
func FuzzNew(f *testing.F) {
	for _, seed := range []string{
		`{"type":"track","event":"x","userId":42,"timestamp":"2026-01-02T03:04:05+02:00","writeKey":"k"}`,
		`{"type":"identify","anonymousId":"a","traits":{"email":"a@example.com"},"context":{"ip":null}}`,
		`{"type":"alias","userId":"u","anonymousId":"a"}`,
		`{"type":"group","userId":"u","groupId":1e3,"messageId":"\ud800\u0000"}`,
		`{"action":"page","user_id":"u","userId":" ","userId":null,"\u0075serId":"v"}`,
		`[{"type":"screen"}]`,
	} {
		f.Add([]byte(seed), []byte(`{"library":{"name":"x"},"ip":"1.1.1.1"}`), "2026-01-02T03:04:06Z")
	}
	f.Fuzz(func(t *testing.T, raw, envelope []byte, sentAt string) {
		if !json.Valid(raw) {
			return
		}
		if v := bytes.TrimSpace(envelope); !json.Valid(v) || v[0] != '{' {
			envelope = nil
		}
		stamp := event.Stamp{Source: "app", ReceivedAt: receivedAt, SentAt: sentAt, Context: envelope, Channel: "client", IP: "192.0.2.1"}
		e, err := event.New(raw, stamp)
		if err != nil {
			var refusal *event.RejectError
			if !errors.As(err, &refusal) || refusal.Reason == "" {
				t.Fatalf("refused without a reason: %v", err)
			}
			if kept := event.Reject(raw, stamp, refusal); !json.Valid(kept.Body) {
				t.Fatalf("kept as %s", kept.Body)
			}
			return
		}
		if !json.Valid(e.Body) {
			t.Fatalf("body is no JSON: %s", e.Body)
		}
		if e.ID == "" || e.UserID() == "" && e.AnonymousID() == "" || e.Get("type").String() != string(e.Type) {
			t.Fatalf("no id, owner or type: %+v", e)
		}
		if e.Get("writeKey").Exists() {
			t.Fatalf("the write key is kept: %s", e.Body)
		}
		again, err := event.New(e.Body, event.Stamp{Source: "app", ReceivedAt: receivedAt})
		if err != nil {
			t.Fatalf("refused when read again: %v\n%s", err, e.Body)
		}
		if again.ID != e.ID || again.Type != e.Type || again.UserID() != e.UserID() || again.AnonymousID() != e.AnonymousID() ||
			again.PreviousID() != e.PreviousID() || again.Name() != e.Name() || again.Email() != e.Email() {
			t.Fatalf("another event when read again:\n%s\n%s", e.Body, again.Body)
		}
	})
}
