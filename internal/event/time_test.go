package event_test

import (
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/event"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"2026-01-02T03:04:05.678901234+02:00", "2026-01-02T01:04:05.678901234Z"}, // Go
		{"2026-11-21T16:29:43.606Z", "2026-11-21T16:29:43.606Z"},                  // Node, browser
		{"2026-11-21T16:38:16.162436+00:00", "2026-11-21T16:38:16.162436Z"},       // Python
		{"2026-11-21T16:38:16+0100", "2026-11-21T15:38:16Z"},                      // PHP, Vero
		{"2026-11-21T16:38:16", "2026-11-21T16:38:16Z"},
		{"2026-11-21 16:38:16.5 UTC", "2026-11-21T16:38:16.5Z"}, // Ruby, in UTC
		{"2026-11-21 16:38:16 +0100", "2026-11-21T15:38:16Z"},   // Ruby
		{"2026-11-21 16:38:16+01", "2026-11-21T15:38:16Z"},
		{"2026-11-21 16:38:16", "2026-11-21T16:38:16Z"},
		{"2026-11-21T16:38Z", "2026-11-21T16:38:00Z"},
		{"2026-11-21T16:38", "2026-11-21T16:38:00Z"},
		{"2026-11-21", "2026-11-21T00:00:00Z"},
		{"2015-2-02T00:30:12.984Z", "2015-02-02T00:30:12.984Z"}, // Segment's docs
		{" 2026-11-21 ", "2026-11-21T00:00:00Z"},
		// A zone's abbreviation says nothing certain.
		{"2026-11-21 16:38:16 EST", ""},
		{"0001-01-01T00:00:00Z", ""},
		{"9999-12-31T23:59:59-14:00", ""},
		{"2026-13-01T00:00:00Z", ""},
		{"1435016238", ""},
		{"yesterday", ""},
		{"", ""},
	}
	for _, tt := range tests {
		got, ok := event.ParseTime(tt.text)
		if ok != (tt.want != "") || ok && event.FormatTime(got) != tt.want {
			t.Errorf("ParseTime(%q) = %v, %v; want %q", tt.text, got, ok, tt.want)
		}
		if !ok && !got.IsZero() {
			t.Errorf("ParseTime(%q) is refused but returns %v", tt.text, got)
		}
	}
}

// The rule is timestamp = receivedAt - (sentAt - originalTimestamp), Segment's
// common spec.
func TestTimestamp(t *testing.T) {
	t.Parallel()
	const none = ""
	tests := map[string]struct{ original, own, envelope, want string }{
		"right clock":              {"2026-11-21T12:00:00Z", none, "2026-11-21T12:00:10Z", "2026-11-21T12:00:00Z"},
		"clock an hour fast":       {"2026-11-21T13:00:00Z", none, "2026-11-21T13:00:05Z", "2026-11-21T12:00:05Z"},
		"clock a year slow":        {"2025-11-21T12:00:00Z", none, "2025-11-21T12:00:05Z", "2026-11-21T12:00:05Z"},
		"sentAt on the event wins": {"2026-11-21T13:00:00Z", "2026-11-21T13:00:05Z", "2026-11-21T12:00:10Z", "2026-11-21T12:00:05Z"},
		"no sentAt":                {"2026-11-21T13:00:00Z", none, none, "2026-11-21T13:00:00Z"},
		"sentAt is no time":        {"2026-11-21T13:00:00Z", "soon", none, "2026-11-21T13:00:00Z"},
		"zero sentAt":              {"2026-11-21T13:00:00Z", "0001-01-01T00:00:00Z", none, "2026-11-21T13:00:00Z"},
		"no timestamp":             {none, none, "2026-11-21T13:00:05Z", "2026-11-21T12:00:10Z"},
		"timestamp is no time":     {"soon", none, "2026-11-21T13:00:05Z", "2026-11-21T12:00:10Z"},
		"zero timestamp":           {"0001-01-01T00:00:00Z", none, "2026-11-21T13:00:05Z", "2026-11-21T12:00:10Z"},
		"nanoseconds":              {"2026-11-21T12:00:00.123456789Z", none, "2026-11-21T12:00:10Z", "2026-11-21T12:00:00.123456789Z"},
		"offsets":                  {"2026-11-21T14:00:00+02:00", none, "2026-11-21T07:00:10-05:00", "2026-11-21T12:00:00Z"},
		"history, 400 years old":   {"1626-01-01T00:00:00Z", none, "2026-11-21T12:00:09Z", "1626-01-01T00:00:01Z"},
		"historical import":        {"2010-01-01T00:00:00Z", none, none, "2010-01-01T00:00:00Z"},
		"corrected out of range":   {"9999-12-31T23:00:00Z", none, "2025-11-21T12:00:10Z", "9999-12-31T23:00:00Z"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := `{"type":"track","event":"x","userId":"u"`
			if tt.original != none {
				raw += `,"timestamp":"` + tt.original + `"`
			}
			if tt.own != none {
				raw += `,"sentAt":"` + tt.own + `"`
			}
			e := accept(t, raw+"}", event.Stamp{SentAt: tt.envelope})
			if got := e.Get("timestamp").String(); got != tt.want {
				t.Errorf("timestamp is %s, want %s", got, tt.want)
			}
			if got := event.FormatTime(e.Time()); got != tt.want {
				t.Errorf("Time() is %s, want %s", got, tt.want)
			}
			original := tt.original
			if original == none {
				original = event.FormatTime(receivedAt)
			}
			if got := e.Get("originalTimestamp").String(); got != original {
				t.Errorf("originalTimestamp is %s, want %s as sent", got, original)
			}
		})
	}
}

func TestReceivedAtIsUTC(t *testing.T) {
	t.Parallel()
	local := time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600))
	e := accept(t, `{"type":"track","event":"x","userId":"u"}`, event.Stamp{ReceivedAt: local})
	if e.ReceivedAt.Location() != time.UTC || !e.ReceivedAt.Equal(local) {
		t.Errorf("ReceivedAt is %v, want %v in UTC", e.ReceivedAt, local)
	}
	if got, want := e.Get("receivedAt").String(), "2026-01-02T02:04:05.000000678Z"; got != want {
		t.Errorf("receivedAt is %s, want %s", got, want)
	}
}
