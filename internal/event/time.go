package event

import (
	"strings"
	"time"
)

// layouts are the forms of time that Segment's SDKs and their users send, the
// most frequent first. A form without a zone is read as UTC.
var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999Z0700",
	"2006-01-02 15:04:05.999999999Z07",
	"2006-01-02 15:04:05.999999999 UTC",
	"2006-01-02 15:04:05.999999999 -0700",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02",
	// Segment's own documentation has an example with a one-digit month.
	"2006-1-2T15:04:05.999999999Z07:00",
}

// ParseTime reads a time as SDKs write it, to the nanosecond, and returns it
// in UTC. The years 2 to 9999 count: the year 1 is the zero time of Go and
// .NET clients, and no later year can be written in RFC 3339.
func ParseTime(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if len(s) < len("2006-1-2") || s[0] < '0' || s[0] > '9' {
		return time.Time{}, false
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			t = t.UTC()
			if !writable(t) {
				return time.Time{}, false
			}
			return t, true
		}
	}
	return time.Time{}, false
}

// FormatTime writes t in the form that the bridge stamps: RFC 3339 in UTC with
// the digits that matter.
func FormatTime(t time.Time) string { return string(appendTime(nil, t)) }

func appendTime(buf []byte, t time.Time) []byte { return t.UTC().AppendFormat(buf, time.RFC3339Nano) }

// correct removes the skew of the client's clock from the time at which the
// client says the event happened: receivedAt - (sentAt - originalTimestamp),
// the rule of Segment's common spec. Without a sentAt there is nothing to
// correct with and the client is believed.
func correct(original, sentAt, receivedAt time.Time) time.Time {
	if sentAt.IsZero() {
		return original
	}
	// The skew, not the age, is what fits into a Duration of 292 years.
	corrected := original.Add(receivedAt.Sub(sentAt))
	if !writable(corrected) {
		return original
	}
	return corrected
}

func writable(t time.Time) bool { return t.Year() > 1 && t.Year() <= 9999 }
