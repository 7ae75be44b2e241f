package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/verobridge/verobridge/internal/event"
)

// maxLatest bounds how many events are shown at once.
const maxLatest = 10_000

// eventLine is an event as the admin API shows it.
type eventLine struct {
	MessageID  string          `json:"message_id"`
	Type       event.Type      `json:"type"`
	Source     string          `json:"source"`
	ReceivedAt time.Time       `json:"received_at"`
	Body       json.RawMessage `json:"body"`
}

func lineOf(e event.Event) eventLine {
	return eventLine{e.ID, e.Type, e.Source, e.ReceivedAt, e.Body}
}

func (l eventLine) event() event.Event {
	return event.Event{ID: l.MessageID, Type: l.Type, Source: l.Source, ReceivedAt: l.ReceivedAt, Body: l.Body}
}

// latestEvents answers GET /api/events?last=N with the events that came last,
// oldest first. source, event and user pick among them.
func (b *bridge) latestEvents(w http.ResponseWriter, r *http.Request) {
	n, err := number(r.URL.Query(), "last", 10)
	if err != nil {
		problem(w, http.StatusBadRequest, err)
		return
	}
	filter := eventFilterOf(r.URL.Query())
	events, err := b.spool.Latest(r.Context(), min(n, maxLatest), func(e event.Event) bool {
		return filter.matches(e) && !b.people.Suppressions().Suppressed(e)
	})
	if err != nil {
		problem(w, http.StatusServiceUnavailable, err)
		return
	}
	out := newLines(w)
	for _, e := range events {
		if out.write(lineOf(e)) != nil {
			return // the client has gone
		}
	}
}
