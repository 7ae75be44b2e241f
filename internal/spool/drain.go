package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// idleWait is how long a drain waits for a record before it looks around.
const idleWait = 5 * time.Second

// DrainOptions say what a destination gets.
type DrainOptions struct {
	// Accept says which events are for this destination; the others are passed
	// over without a report. Defaults to all.
	Accept func(event.Event) bool
	// MaxEvents bounds a batch, up to the size of one more record. Defaults to
	// 1000.
	MaxEvents int
}

// item is one event on its way to a destination.
type item struct {
	event    event.Event
	attempts int       // before this one
	since    time.Time // of the first failure, zero if there was none
	lane     uint64    // its place in the retry lane, 0 for a fresh event
}

// batch holds the events of some records; the last one acknowledges them all.
type batch struct {
	items []item
	last  jetstream.Msg
}

// drain hands the events of the spool to one destination, in one goroutine.
type drain struct {
	spool       *Spool
	destination delivery.Destination
	o           DrainOptions
	log         *slog.Logger
	cursor      *cursor
	lane        *lane
	// failures counts how often in a row the destination was unavailable. While
	// it is not 0 the destination is paused and probed with single events, not
	// before probeAt.
	failures int
	probeAt  time.Time
	// paused is why the destination took nothing when it was tried last.
	paused delivery.Reason
}

// Drain hands events to a destination until ctx ends, and settles what comes
// of them. It returns an error only if it cannot start. Whatever is not settled
// when it returns comes again, in order, the next time.
func (s *Spool) Drain(ctx context.Context, d delivery.Destination, o DrainOptions) error {
	o.MaxEvents = cmp.Or(o.MaxEvents, 1000)
	if o.Accept == nil {
		o.Accept = func(event.Event) bool { return true }
	}
	cursor, lane, err := s.place(ctx, d.Name())
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("drain %s: %w", d.Name(), err)
	}
	dr := &drain{
		spool:       s,
		destination: d,
		o:           o,
		log:         s.log.With("destination", d.Name()),
		cursor:      cursor,
		lane:        lane,
	}
	dr.run(ctx)
	return nil
}

// place finds where a destination was when the program stopped.
func (s *Spool) place(ctx context.Context, destination string) (*cursor, *lane, error) {
	cursor, err := s.openCursor(ctx, eventsStream, destination)
	if err != nil {
		return nil, nil, err
	}
	lane, err := s.openLane(ctx, destination)
	return cursor, lane, err
}

// run works until ctx ends. An error here is one of the spool itself, so
// nothing was settled: the cursor goes back and the work is done again.
func (d *drain) run(ctx context.Context) {
	for failed := 0; ctx.Err() == nil; {
		err := d.step(ctx)
		if err == nil || ctx.Err() != nil {
			failed = 0
			continue
		}
		failed++
		d.log.Error("cannot settle events; they are tried again", "error", err)
		sleep(ctx, d.spool.o.Probe.wait(failed))
		if err := d.cursor.rewind(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("cannot go back to the first unsettled event", "error", err)
		}
	}
}

// step delivers what is due in the lane, else what is fresh.
func (d *drain) step(ctx context.Context) error {
	due, err := d.lane.due(ctx, time.Now(), d.o.MaxEvents)
	if err != nil {
		return err
	}
	if len(due) > 0 {
		_, err := d.attempt(ctx, due)
		return err
	}
	b, err := d.fresh(ctx)
	if err != nil || b.last == nil {
		return err
	}
	return d.deliverFresh(ctx, b)
}

// fresh returns the next records' events. It waits a while for one, no longer
// than until something in the lane is due.
func (d *drain) fresh(ctx context.Context) (batch, error) {
	wait := idleWait
	if at, any := d.lane.nextDue(); any {
		wait = min(wait, time.Until(at))
	}
	records, err := d.cursor.next(ctx, wait)
	if err != nil {
		return batch{}, err
	}
	var b batch
	for len(records) > 0 {
		for _, record := range records {
			if err := d.take(ctx, &b, record); err != nil {
				return batch{}, err
			}
		}
		if len(b.items) >= d.o.MaxEvents {
			break
		}
		records, err = d.cursor.more()
		if errors.Is(err, errGap) {
			return batch{}, d.cursor.rewind(ctx)
		}
		if err != nil {
			return batch{}, err
		}
	}
	return b, nil
}

// take adds a record's events to the batch.
func (d *drain) take(ctx context.Context, b *batch, record jetstream.Msg) error {
	b.last = record
	events, err := unseal(record.Data())
	if err != nil {
		d.log.Error("a record cannot be read; it is kept as a dead letter", "error", err)
		return d.spool.buryRecord(ctx, d.destination.Name(), record.Data(), err)
	}
	for _, e := range events {
		if d.o.Accept(e) {
			b.items = append(b.items, item{event: e})
		}
	}
	return nil
}

// deliverFresh delivers a batch until all of it is settled or in the lane, and
// acknowledges it. While the destination takes nothing the batch waits here,
// unacknowledged, unless a part of it is settled: that part must not come again
// after a crash, so the rest waits in the lane.
func (d *drain) deliverFresh(ctx context.Context, b batch) error {
	remaining, settledAny := b.items, false
	for {
		free, err := d.queueBehind(ctx, remaining)
		if err != nil {
			return err
		}
		settledAny = settledAny || len(free) < len(remaining)
		remaining = free
		if len(remaining) == 0 || ctx.Err() != nil || d.failures > 0 && settledAny {
			break
		}
		left, err := d.attempt(ctx, remaining)
		if err != nil {
			return err
		}
		settledAny = settledAny || len(left) < len(remaining)
		remaining = left
	}
	if len(remaining) > 0 && !settledAny {
		return nil // stopping: the whole batch comes again
	}
	if err := d.park(ctx, remaining); err != nil {
		return err
	}
	return d.acknowledge(ctx, b)
}

// queueBehind moves the events of people who have events in the lane there,
// and returns the others.
func (d *drain) queueBehind(ctx context.Context, items []item) ([]item, error) {
	if d.lane.empty() {
		return items, nil
	}
	var free []item
	var behind []verdict
	people := make(map[string]bool)
	for _, it := range items {
		ids := it.event.People()
		if d.lane.blocks(ids) || anyOf(people, ids) {
			behind = append(behind, verdict{it, delivery.Behind()})
			for _, id := range ids {
				people[id] = true
			}
			continue
		}
		free = append(free, it)
	}
	return free, d.settle(ctx, behind)
}

// attempt offers events to the destination once, settles what comes of them,
// and returns those for which nothing was decided. A paused destination gets
// one event, when it is time for a probe.
func (d *drain) attempt(ctx context.Context, items []item) (left []item, err error) {
	offer := items
	if d.failures > 0 {
		sleep(ctx, time.Until(d.probeAt))
		if ctx.Err() != nil {
			return items, nil
		}
		offer = items[:1]
	}
	settled, unavailable := split(offer, d.deliver(ctx, offer))
	if err := d.settle(ctx, settled); err != nil {
		return nil, err
	}
	switch {
	case len(unavailable) == 0:
		// What was only skipped says nothing about whether anybody is there.
		if slices.ContainsFunc(settled, func(v verdict) bool { return v.outcome.Status() != delivery.StatusSkipped }) {
			d.resume()
		}
	case ctx.Err() == nil:
		if err := d.pause(ctx, unavailable); err != nil {
			return nil, err
		}
	}
	return append(itemsOf(unavailable), items[len(offer):]...), nil
}

// deliver calls the destination. A panic there must not take the program down
// again and again with the same event, so the batch is then tried one by one,
// and an event that panics alone is dead.
func (d *drain) deliver(ctx context.Context, items []item) []delivery.Outcome {
	events := make([]event.Event, len(items))
	for i, it := range items {
		events[i] = it.event
	}
	outcomes, err := d.try(ctx, events)
	if err == nil {
		return outcomes
	}
	if len(events) == 1 {
		return []delivery.Outcome{delivery.Dead(delivery.ReasonBug, err)}
	}
	d.log.Error("a destination failed on a batch; trying its events one by one", "error", err)
	outcomes = make([]delivery.Outcome, len(events))
	for _, chain := range delivery.Chains(events) {
		behind := false
		for _, i := range chain {
			if behind {
				outcomes[i] = delivery.Behind()
				continue
			}
			one, err := d.try(ctx, events[i:i+1])
			if err != nil {
				one = []delivery.Outcome{delivery.Dead(delivery.ReasonBug, err)}
			}
			outcomes[i] = one[0]
			behind = !outcomes[i].Final()
		}
	}
	return outcomes
}

// try calls the destination once and holds it to its contract.
func (d *drain) try(ctx context.Context, events []event.Event) (outcomes []delivery.Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			d.log.Error("a destination panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	outcomes = d.destination.Deliver(ctx, events)
	if len(outcomes) != len(events) {
		return nil, fmt.Errorf("%d outcomes for %d events", len(outcomes), len(events))
	}
	for _, o := range outcomes {
		if !o.Valid() {
			return nil, fmt.Errorf("an event without an outcome")
		}
	}
	return outcomes, nil
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func anyOf(set map[string]bool, ids []string) bool {
	for _, id := range ids {
		if set[id] {
			return true
		}
	}
	return false
}
