package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/spool"
)

const (
	// replayChunk is how many events are looked up in the warehouse at once.
	replayChunk = 500
	// reportsTimeout bounds how long a replay waits until what was delivered is
	// written down.
	reportsTimeout = 30 * time.Second
	// roomEvery is how often a replay looks whether there is room for more.
	roomEvery = time.Second
	// watchEvery is how often whoever looks on is told how far it is.
	watchEvery = time.Second
)

// replayRequest is what people ask to send again.
type replayRequest struct {
	destination string
	from, to    time.Time
	eventFilter
	force bool
	rate  float64
}

func (b *bridge) replayRequestOf(q url.Values) (replayRequest, error) {
	now := time.Now()
	r := replayRequest{destination: q.Get("destination"), eventFilter: eventFilterOf(q), force: q.Get("force") == "true"}
	err := b.checkDestination(r.destination)
	if err != nil {
		return r, err
	}
	if r.from, err = moment(q, "from", now, time.Time{}); err != nil {
		return r, err
	}
	if r.to, err = moment(q, "to", now, now); err != nil {
		return r, err
	}
	if r.from.IsZero() || !r.from.Before(r.to) {
		return r, &parameterError{"from", "a time before to"}
	}
	if text := q.Get("rate"); text != "" {
		if r.rate, err = strconv.ParseFloat(text, 64); err != nil || r.rate <= 0 {
			return r, &parameterError{"rate", "a number of events a second above 0"}
		}
	}
	return r, nil
}

// replayLine says how far a replay is: what it found, and what becomes of it.
type replayLine struct {
	KeptSince time.Time `json:"kept_since"`
	Matching  int       `json:"matching"`
	// Delivered ones are left out without force, and so are dead ones, which
	// dead retry sends.
	Delivered int `json:"delivered"`
	Dead      int `json:"dead"`
	// Waiting ones come to the destination by themselves, held ones too.
	Waiting    int `json:"waiting"`
	Suppressed int `json:"suppressed"`
	ToSend     int `json:"to_send"`
	// Queued counts those of them that are queued.
	Queued int  `json:"queued"`
	Done   bool `json:"done"`
}

// planReplay answers GET /api/replay with what a replay would send.
func (b *bridge) planReplay(w http.ResponseWriter, r *http.Request) {
	request, err := b.replayRequestOf(r.URL.Query())
	if err != nil {
		problem(w, http.StatusBadRequest, err)
		return
	}
	none := func([]event.Event) error { return nil }
	plan, err := b.replay(r.Context(), request, none, func(replayLine) {})
	if err != nil {
		problem(w, http.StatusServiceUnavailable, err)
		return
	}
	writeJSON(w, http.StatusOK, plan)
}

// startReplay answers POST /api/replay: it queues what the plan says, and writes
// how far it is, a line now and then. Whoever goes away ends it; it is safe to
// ask again.
func (b *bridge) startReplay(w http.ResponseWriter, r *http.Request) {
	request, err := b.replayRequestOf(r.URL.Query())
	if err != nil {
		problem(w, http.StatusBadRequest, err)
		return
	}
	out := newLines(w)
	queued := 0
	queue := func(events []event.Event) error {
		n, err := b.queue(r.Context(), request, events)
		queued += n
		return err
	}
	written := time.Now()
	done, err := b.replay(r.Context(), request, queue, func(line replayLine) {
		if time.Since(written) >= watchEvery {
			written, line.Queued = time.Now(), queued
			_ = out.write(line) // if the client has gone, the context ends
			out.flush()
		}
	})
	if err != nil {
		out.fail(err)
		return
	}
	done.Queued, done.Done = queued, true
	_ = out.write(done)
}

// queueLine is how many events wait to be sent to a destination again.
type queueLine struct {
	Left int `json:"left"`
}

// replayQueue answers GET /api/replay/queue.
func (b *bridge) replayQueue(w http.ResponseWriter, r *http.Request) {
	destination := r.URL.Query().Get("destination")
	if err := b.checkDestination(destination); err != nil {
		problem(w, http.StatusBadRequest, err)
		return
	}
	left, err := b.spool.Queued(r.Context(), destination)
	if err != nil {
		problem(w, http.StatusServiceUnavailable, err)
		return
	}
	writeJSON(w, http.StatusOK, queueLine{left})
}

// queue hands events to the spool to be sent again, waiting for room if need be.
func (b *bridge) queue(ctx context.Context, r replayRequest, events []event.Event) (queued int, err error) {
	again := make([]spool.Again, len(events))
	for i, e := range events {
		again[i].Event = e
	}
	for {
		n, err := b.spool.Replay(ctx, r.destination, r.rate, again[queued:]...)
		queued += n
		if !errors.Is(err, spool.ErrFull) {
			return queued, err
		}
		select {
		case <-time.After(roomEvery):
		case <-ctx.Done():
			return queued, ctx.Err()
		}
	}
}

// replay goes through the events that the spool keeps and gives those that are
// to be sent to send, some at a time. Routing is that of today.
func (b *bridge) replay(ctx context.Context, r replayRequest, send func([]event.Event) error, progress func(replayLine)) (line replayLine, err error) {
	if line.KeptSince, err = b.spool.KeptSince(ctx); err != nil {
		return line, err
	}
	if err := b.awaitReports(ctx); err != nil {
		return line, err
	}
	accept := b.accepts(r.destination)
	var chunk []event.Event
	flush := func() error {
		statuses, err := b.loader.Statuses(ctx, r.destination, chunk)
		if err != nil {
			return fmt.Errorf("cannot ask the warehouse what was delivered: %w", err)
		}
		wanted := line.choose(chunk, statuses, r.force)
		chunk = nil
		if err := send(wanted); err != nil {
			return err
		}
		progress(line)
		return nil
	}
	err = b.spool.History(ctx, r.destination, r.from, r.to, func(e event.Event, settled bool) error {
		if !r.matches(e) {
			return nil
		}
		if wanted, _ := accept(e); !wanted {
			return nil
		}
		line.Matching++
		switch {
		case b.people.Suppressions().Suppressed(e):
			line.Suppressed++
			return nil
		case !settled:
			line.Waiting++
			return nil
		}
		if chunk = append(chunk, e); len(chunk) < replayChunk {
			return nil
		}
		return flush()
	})
	if err == nil && len(chunk) > 0 {
		err = flush()
	}
	return line, err
}

// choose counts what became of events, and returns those to send.
func (l *replayLine) choose(events []event.Event, statuses []delivery.Status, force bool) []event.Event {
	var wanted []event.Event
	for i, e := range events {
		switch s := statuses[i]; {
		case s == delivery.StatusWaiting, s == delivery.StatusHeld:
			l.Waiting++
			continue
		case s == delivery.StatusDelivered && !force:
			l.Delivered++
			continue
		case (s == delivery.StatusDead || s == delivery.StatusAmbiguous) && !force:
			l.Dead++
			continue
		}
		l.ToSend++
		wanted = append(wanted, e)
	}
	return wanted
}

// awaitReports waits until the warehouse knows what was delivered.
func (b *bridge) awaitReports(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, reportsTimeout)
	defer cancel()
	err := b.spool.AwaitReports(waiting)
	if err != nil && ctx.Err() == nil && waiting.Err() != nil {
		return errors.New("the warehouse does not know yet what was delivered, and without that events would go twice; is Postgres down?")
	}
	return err
}
