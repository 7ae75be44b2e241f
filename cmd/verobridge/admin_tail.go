package main

import (
	"context"
	"net/http"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/live"
)

// tailWrite is how long a client may take for what is new. One that takes longer
// is let go.
const tailWrite = 10 * time.Second

// tailLine is one thing that is new: an event, what became of one that was told
// before, or how many things were left out.
type tailLine struct {
	Event  *eventLine       `json:"event,omitempty"`
	Report *delivery.Report `json:"report,omitempty"`
	Missed int              `json:"missed,omitempty"`
}

// tail answers GET /api/tail?last=N with the events that came last and those that
// come, and what becomes of them, for as long as somebody listens. source, event
// and person pick among them. An empty line says now and then that it goes on.
func (b *bridge) tail(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	last := 0
	if q.Get("last") != "0" {
		var err error
		if last, err = number(q, "last", 10); err != nil {
			problem(w, http.StatusBadRequest, err)
			return
		}
	}
	out, control := newLines(w), http.NewResponseController(w)
	filter := live.Filter{Source: q.Get("source"), Event: q.Get("event"), Person: q.Get("person")}
	err := b.feed.Watch(r.Context(), filter, min(last, maxLatest), func(batch live.Batch) error {
		_ = control.SetWriteDeadline(time.Now().Add(tailWrite)) // a test's recorder has none
		for _, e := range batch.Events {
			line := lineOf(e)
			if err := out.write(tailLine{Event: &line}); err != nil {
				return err
			}
		}
		for i := range batch.Reports {
			if err := out.write(tailLine{Report: &batch.Reports[i]}); err != nil {
				return err
			}
		}
		if batch.Missed > 0 {
			if err := out.write(tailLine{Missed: batch.Missed}); err != nil {
				return err
			}
		}
		if _, err := w.Write([]byte("\n")); err != nil {
			return err
		}
		out.flush()
		return nil
	})
	if r.Context().Err() == nil {
		out.fail(err) // the client may have gone
	}
}

// openFeed makes the feed of what comes in this moment. People who were erased
// are not shown.
func (b *bridge) openFeed(context.Context) error {
	b.feed = live.New(live.Options{
		Follow: func(ctx context.Context) (live.Follower, error) { return b.spool.Follow(ctx) },
		Latest: b.spool.Latest,
		Hidden: b.people.Suppressions().Suppressed,
	})
	return nil
}
