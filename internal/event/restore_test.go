package event

import (
	"errors"
	"testing"
	"time"
)

// now is the clock of the one who restores; nothing may depend on it but a call
// that says no time at all.
var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func restore(t *testing.T, raw string) Event {
	t.Helper()
	e, err := Restore([]byte(raw), Stamp{Source: "app", ReceivedAt: now})
	if err != nil {
		t.Fatalf("Restore(%s): %v", raw, err)
	}
	return e
}

func TestRestoreTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, fields, received, timestamp, original string }{
		{
			"a server has corrected it",
			`"receivedAt":"2020-01-01T00:00:10Z","sentAt":"2020-01-01T01:00:10Z","timestamp":"2020-01-01T00:00:00Z","originalTimestamp":"2020-01-01T01:00:00Z"`,
			"2020-01-01T00:00:10Z", "2020-01-01T00:00:00Z", "2020-01-01T01:00:00Z",
		},
		{
			"corrected, without the original",
			`"receivedAt":"2020-01-01T00:00:10Z","sentAt":"2020-01-01T01:00:10Z","timestamp":"2020-01-01T00:00:00Z"`,
			"2020-01-01T00:00:10Z", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z",
		},
		{
			"as a client has sent it",
			`"sentAt":"2020-01-01T01:00:10Z","timestamp":"2020-01-01T01:00:00Z"`,
			"2020-01-01T01:00:10Z", "2020-01-01T01:00:00Z", "2020-01-01T01:00:00Z",
		},
		{
			"a timestamp only", `"timestamp":"2020-01-01T01:00:00Z"`,
			"2020-01-01T01:00:00Z", "2020-01-01T01:00:00Z", "2020-01-01T01:00:00Z",
		},
		{
			"what is no time", `"receivedAt":"yesterday","timestamp":"today"`,
			"2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "today",
		},
		{"no time", `"x":1`, "2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := restore(t, `{"type":"track","messageId":"m1","userId":"u1","event":"X",`+c.fields+`}`)
			if got := FormatTime(e.ReceivedAt); got != c.received || e.Get("receivedAt").String() != c.received {
				t.Errorf("received at %s, in the body %s, want %s", got, e.Get("receivedAt"), c.received)
			}
			if got := e.Get("timestamp").String(); got != c.timestamp {
				t.Errorf("timestamp %s, want %s", got, c.timestamp)
			}
			if got := e.Get("originalTimestamp").String(); got != c.original {
				t.Errorf("originalTimestamp %s, want %s", got, c.original)
			}
		})
	}
}

func TestRestoreIDs(t *testing.T) {
	t.Parallel()
	if e := restore(t, `{"type":"track","messageId":"m1","userId":"u1","event":"X"}`); e.ID != "m1" {
		t.Errorf("id %s, want that of the call", e.ID)
	}
	const unnamed = `{"type":"track","userId":"u1","event":"X"}`
	once, again := restore(t, unnamed), restore(t, unnamed)
	if once.ID == "" || once.ID != again.ID || once.ID != once.Get("messageId").String() {
		t.Errorf("ids %q and %q, want one and the same", once.ID, again.ID)
	}
	if other := restore(t, `{"type":"track","userId":"u2","event":"X"}`); other.ID == once.ID {
		t.Error("another call has the same id")
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	raw := []byte(`{"type":"track","userId":"u1"}`)
	_, err := Restore(raw, Stamp{Source: "app", ReceivedAt: now})
	var refused *RejectError
	if !errors.As(err, &refused) || refused.Reason != ReasonNoEventName {
		t.Fatalf("restored a track call without a name: %v", err)
	}
	kept := RejectRestored(raw, Stamp{Source: "app", ReceivedAt: now}, refused)
	if again := RejectRestored(raw, Stamp{Source: "app"}, refused); kept.ID != again.ID || kept.Type != Rejected {
		t.Errorf("kept as %s %q and %q, want one id", kept.Type, kept.ID, again.ID)
	}
}
