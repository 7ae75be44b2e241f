package event_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/event"
)

var receivedAt = time.Date(2026, 11, 21, 12, 0, 10, 0, time.UTC)

// decoded is an event's body as any JSON reader sees it, with exact numbers.
func decoded(t *testing.T, body []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("body is no JSON object: %v\n%s", err, body)
	}
	return m
}

// accept runs New and fails the test if the call is refused.
func accept(t *testing.T, raw string, s event.Stamp) event.Event {
	t.Helper()
	if s.ReceivedAt.IsZero() {
		s.ReceivedAt = receivedAt
	}
	e, err := event.New([]byte(raw), s)
	if err != nil {
		t.Fatalf("New(%s): %v", raw, err)
	}
	return e
}

func TestNewStampsWhatTheServerKnows(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		raw   string
		stamp event.Stamp
		want  string
	}{
		"server call without a time": {
			raw: `{"messageId":"m1","userId":"u1","event":"Order Completed"}`,
			stamp: event.Stamp{
				Type: event.Track, Channel: "server", IP: "192.0.2.1",
			},
			want: `{"type":"track","messageId":"m1","userId":"u1","event":"Order Completed","channel":"server",
				"originalTimestamp":"2026-11-21T12:00:10Z","timestamp":"2026-11-21T12:00:10Z","receivedAt":"2026-11-21T12:00:10Z"}`,
		},
		"client call gets the caller's address": {
			raw:   `{"messageId":"m1","anonymousId":"a1","type":"page","context":{"locale":"de"}}`,
			stamp: event.Stamp{Channel: "client", IP: "192.0.2.1"},
			want: `{"type":"page","messageId":"m1","anonymousId":"a1","channel":"client","context":{"ip":"192.0.2.1","locale":"de"},
				"originalTimestamp":"2026-11-21T12:00:10Z","timestamp":"2026-11-21T12:00:10Z","receivedAt":"2026-11-21T12:00:10Z"}`,
		},
		"an address of its own stays": {
			raw:   `{"messageId":"m1","anonymousId":"a1","type":"page"}`,
			stamp: event.Stamp{Channel: "client", IP: "192.0.2.1", Context: []byte(`{"ip":"203.0.113.9"}`)},
			want: `{"type":"page","messageId":"m1","anonymousId":"a1","channel":"client","context":{"ip":"203.0.113.9"},
				"originalTimestamp":"2026-11-21T12:00:10Z","timestamp":"2026-11-21T12:00:10Z","receivedAt":"2026-11-21T12:00:10Z"}`,
		},
		"context.direct asks for the address on a server call": {
			raw:   `{"messageId":"m1","anonymousId":"a1","type":"page","context":{"direct":true}}`,
			stamp: event.Stamp{Channel: "server", IP: "192.0.2.1"},
			want: `{"type":"page","messageId":"m1","anonymousId":"a1","channel":"server","context":{"ip":"192.0.2.1","direct":true},
				"originalTimestamp":"2026-11-21T12:00:10Z","timestamp":"2026-11-21T12:00:10Z","receivedAt":"2026-11-21T12:00:10Z"}`,
		},
		"the envelope lies under the event": {
			raw: `{"messageId":"m1","userId":"u1","type":"identify","context":{"ip":"1.1.1.1"},"integrations":{"Vero":true}}`,
			stamp: event.Stamp{
				SentAt:       "2026-11-21T12:00:00Z",
				Context:      []byte(`{"library":{"name":"analytics-go"},"ip":"2.2.2.2"}`),
				Integrations: []byte(`{"all":false,"Vero":false}`),
			},
			want: `{"type":"identify","messageId":"m1","userId":"u1","sentAt":"2026-11-21T12:00:00Z",
				"context":{"library":{"name":"analytics-go"},"ip":"1.1.1.1"},"integrations":{"all":false,"Vero":true},
				"originalTimestamp":"2026-11-21T12:00:10Z","timestamp":"2026-11-21T12:00:10Z","receivedAt":"2026-11-21T12:00:10Z"}`,
		},
		"secrets and what only the server may say are dropped": {
			raw: `{"messageId":"m1","userId":"u1","type":"track","event":"x","writeKey":"secret","receivedAt":"1999-01-01T00:00:00Z"}`,
			want: `{"type":"track","messageId":"m1","userId":"u1","event":"x",
				"originalTimestamp":"2026-11-21T12:00:10Z","timestamp":"2026-11-21T12:00:10Z","receivedAt":"2026-11-21T12:00:10Z"}`,
		},
		"unknown fields, exact digits and unicode survive": {
			raw: `{"messageId":"m1","userId":"u1","type":"track","event":"Größe ✓","x":{"y":[1e2]},` +
				`"properties":{"n":9007199254740993,"p":0.10,"s":"\u0000"}}`,
			want: `{"type":"track","messageId":"m1","userId":"u1","event":"Größe ✓","x":{"y":[1e2]},
				"properties":{"n":9007199254740993,"p":0.10,"s":"\u0000"},
				"originalTimestamp":"2026-11-21T12:00:10Z","timestamp":"2026-11-21T12:00:10Z","receivedAt":"2026-11-21T12:00:10Z"}`,
		},
		"empty arrays for empty maps": {
			raw: `{"messageId":"m1","userId":"u1","type":"identify","traits":[],"properties":[],"context":[],"integrations":null}`,
			want: `{"type":"identify","messageId":"m1","userId":"u1",
				"originalTimestamp":"2026-11-21T12:00:10Z","timestamp":"2026-11-21T12:00:10Z","receivedAt":"2026-11-21T12:00:10Z"}`,
		},
		"of repeated keys the last counts": {
			raw: `{"messageId":"m1","userId":{},"userId":"u1","type":"page","type":"track","event":"a","\u0065vent":"b","x":1,"x":2}`,
			want: `{"type":"track","messageId":"m1","userId":"u1","event":"b","x":2,
				"originalTimestamp":"2026-11-21T12:00:10Z","timestamp":"2026-11-21T12:00:10Z","receivedAt":"2026-11-21T12:00:10Z"}`,
		},
		"action for type, snake_case ids": {
			raw: `{"messageId":"m1","action":"track","user_id":7,"anonymous_id":"a","event":"Email Opened"}`,
			want: `{"type":"track","messageId":"m1","userId":"7","anonymousId":"a","action":"track","user_id":7,"anonymous_id":"a",
				"event":"Email Opened",
				"originalTimestamp":"2026-11-21T12:00:10Z","timestamp":"2026-11-21T12:00:10Z","receivedAt":"2026-11-21T12:00:10Z"}`,
		},
		"mobile alias names the old id by anonymousId": {
			raw: `{"messageId":"m1","type":"alias","userId":"u1","anonymousId":"a1"}`,
			want: `{"type":"alias","messageId":"m1","userId":"u1","anonymousId":"a1","previousId":"a1",
				"originalTimestamp":"2026-11-21T12:00:10Z","timestamp":"2026-11-21T12:00:10Z","receivedAt":"2026-11-21T12:00:10Z"}`,
		},
		"alias to itself, as analytics-next sends it": {
			raw: `{"messageId":"m1","type":"alias","userId":"u1","previousId":"u1"}`,
			want: `{"type":"alias","messageId":"m1","userId":"u1","previousId":"u1",
				"originalTimestamp":"2026-11-21T12:00:10Z","timestamp":"2026-11-21T12:00:10Z","receivedAt":"2026-11-21T12:00:10Z"}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := decoded(t, accept(t, tt.raw, tt.stamp).Body)
			if diff := cmp.Diff(decoded(t, []byte(tt.want)), got); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewReadsIDs(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`"u1"`:                   "u1",
		`" u1 "`:                 "u1",
		`42`:                     "42",
		`12356662345724561234`:   "12356662345724561234",
		`null`:                   "",
		`""`:                     "",
		`" \t"`:                  "",
		`"a\u0000b"`:             "ab",
		`"\ud800x"`:              "\uFFFDx",
		`"jané+x@example.com"`:   "jané+x@example.com",
		`"\"quoted\" \\ <html>"`: `"quoted" \ <html>`,
	} {
		e := accept(t, fmt.Sprintf(`{"type":"track","event":"x","anonymousId":"a","userId":%s}`, raw), event.Stamp{})
		if got := e.UserID(); got != want {
			t.Errorf("userId %s: got %q, want %q", raw, got, want)
		}
	}
}

func TestNewMakesAnID(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, id := range []string{``, `"messageId":null,`, `"messageId":"",`, `"messageId":" ",`} {
		e := accept(t, `{`+id+`"type":"track","event":"x","userId":"u"}`, event.Stamp{})
		if e.ID == "" || seen[e.ID] {
			t.Errorf("with %q the id is %q, want a new one", id, e.ID)
		}
		if got := e.Get("messageId").String(); got != e.ID {
			t.Errorf("messageId in the body is %q, want %q", got, e.ID)
		}
		seen[e.ID] = true
	}
}

func TestNewKeepsNoReference(t *testing.T) {
	t.Parallel()
	raw := []byte(`{"type":"track","event":"x","userId":"u","messageId":"m"}`)
	e, err := event.New(raw, event.Stamp{ReceivedAt: receivedAt})
	if err != nil {
		t.Fatal(err)
	}
	before := string(e.Body)
	for i := range raw {
		raw[i] = '!'
	}
	if string(e.Body) != before || e.ID != "m" {
		t.Errorf("the event changed with its input: %s", e.Body)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	many := `{"type":"track","event":"x","userId":"u","properties":{"a:\"b":[` + strings.Repeat(`{"":0},`, 10_000) + `0]}}`
	tests := []struct{ raw, reason string }{
		{`[]`, event.ReasonNotObject},
		{`"text"`, event.ReasonNotObject},
		{`12`, event.ReasonNotObject},
		{`null`, event.ReasonNotObject},
		{`true`, event.ReasonNotObject},
		{`{"event":"x","userId":"u"}`, event.ReasonUnknownType},
		{`{"type":"Track","event":"x","userId":"u"}`, event.ReasonUnknownType},
		{`{"type":"rejected","userId":"u"}`, event.ReasonUnknownType},
		{`{"type":{"a":1},"userId":"u"}`, event.ReasonUnknownType},
		{`{"type":"track","event":"x"}`, event.ReasonNoIdentity},
		{`{"type":"track","event":"x","userId":"  ","anonymousId":null}`, event.ReasonNoIdentity},
		{`{"type":"identify"}`, event.ReasonNoIdentity},
		{`{"type":"page"}`, event.ReasonNoIdentity},
		{`{"type":"screen"}`, event.ReasonNoIdentity},
		{`{"type":"group","groupId":"g"}`, event.ReasonNoIdentity},
		{`{"type":"alias","previousId":"p"}`, event.ReasonNoIdentity},
		{`{"type":"track","userId":"u"}`, event.ReasonNoEventName},
		{`{"type":"track","userId":"u","event":""}`, event.ReasonNoEventName},
		{`{"type":"track","userId":"u","event":" "}`, event.ReasonNoEventName},
		{`{"type":"track","userId":"u","event":5}`, event.ReasonNoEventName},
		{`{"type":"track","userId":"u","event":"x","event":5}`, event.ReasonNoEventName},
		{`{"type":"group","userId":"u"}`, event.ReasonNoGroupID},
		{`{"type":"alias","userId":"u"}`, event.ReasonNoPreviousID},
		{`{"type":"track","event":"x","userId":{}}`, event.ReasonInvalidID},
		{`{"type":"track","event":"x","userId":["u"]}`, event.ReasonInvalidID},
		{`{"type":"track","event":"x","userId":"u","anonymousId":true}`, event.ReasonInvalidID},
		{`{"type":"track","event":"x","userId":"u","messageId":{}}`, event.ReasonInvalidID},
		{`{"type":"track","event":"x","userId":"u","properties":"p"}`, event.ReasonInvalidField},
		{`{"type":"track","event":"x","userId":"u","context":[1]}`, event.ReasonInvalidField},
		{`{"type":"identify","userId":"u","traits":5}`, event.ReasonInvalidField},
		{`{"type":"identify","userId":"u","integrations":false}`, event.ReasonInvalidField},
		{`{"type":"track","event":"x","userId":"u","messageId":"` + strings.Repeat("m", 1025) + `"}`, event.ReasonLongMessageID},
		{many, event.ReasonTooManyFields},
	}
	shown := make(map[string]bool)
	for _, tt := range tests {
		_, err := event.New([]byte(tt.raw), event.Stamp{ReceivedAt: receivedAt})
		var refusal *event.RejectError
		if !errors.As(err, &refusal) {
			t.Errorf("New(%.80s) = %v, want a *RejectError", tt.raw, err)
			continue
		}
		if refusal.Reason != tt.reason || refusal.Detail == "" {
			t.Errorf("New(%.80s) = %v, want reason %s", tt.raw, refusal, tt.reason)
		}
		if len(refusal.Detail) > 300 {
			t.Errorf("New(%.80s): the detail has %d bytes", tt.raw, len(refusal.Detail))
		}
		shown[refusal.Reason] = true
	}
	// The two that are left are the receiver's, who knows keys and origins.
	shown[event.ReasonUnknownKey], shown[event.ReasonOrigin] = true, true
	for _, reason := range event.Reasons() {
		if !shown[reason] {
			t.Errorf("no case shows reason %s", reason)
		}
	}
}
