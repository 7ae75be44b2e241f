package spool

import (
	"context"
	"slices"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// verdict is an event with what becomes of it.
type verdict struct {
	item
	outcome delivery.Outcome
	// late marks one that was given because it is too late for another attempt.
	late bool
}

// round offers events to the destination once and settles what comes of them.
func (d *drain) round(ctx context.Context, items []item) error {
	places, made := d.attempt(ctx, items)
	if ctx.Err() != nil && len(made) == 0 {
		return nil
	}
	tried := pick(items, places)
	outcomes := make([]delivery.Outcome, len(items)) // invalid where nothing was tried
	for n, i := range places {
		outcomes[i] = made[n]
	}
	down := d.pause.isDown(tried, made)
	var suspects map[origin]delivery.Outcome
	if !down && isUp(made) {
		suspects = d.resume()
	}
	if err := d.settle(ctx, d.judge(items, outcomes, down, suspects), resolvedBy(made)); err != nil {
		return err
	}
	if down && ctx.Err() == nil {
		return d.prolong(ctx, tried, made)
	}
	return nil
}

// attempt offers those of the events that may be offered, when it is time to,
// and returns their places and what came of them. Fresh events whose person
// waits in the lane are not offered: they queue up there. A paused destination
// gets one event.
func (d *drain) attempt(ctx context.Context, items []item) (places []int, made []delivery.Outcome) {
	if places = d.free(items); len(places) == 0 {
		return nil, nil
	}
	if d.pace != nil {
		d.pace.wait(ctx, d.window.rate(), len(places))
		d.turn.Lock()
		defer d.turn.Unlock()
	}
	// Meanwhile it may have become too late for some.
	if places = d.free(items); len(places) == 0 || ctx.Err() != nil {
		return nil, nil
	}
	if d.pause.active() {
		i := d.pause.probe(pick(items, places))
		places = places[i : i+1]
	}
	return places, d.offer(ctx, pick(items, places))
}

// free returns the places of the events that may be offered. Not those that are
// skipped or that it is too late to repeat, and not fresh ones that have to
// queue behind others of their people: in the lane, or before them in the batch
// where those have to queue.
func (d *drain) free(items []item) []int {
	free := make([]int, 0, len(items))
	blocked := make(map[string]bool)
	now := d.clock.now()
	for i, it := range items {
		switch {
		case it.skip != "", it.isTooLate(now):
		case it.waiting == nil && (d.lane.oldest(it.people) != nil || anyOf(blocked, it.people)):
			for _, id := range it.people {
				blocked[id] = true
			}
		default:
			free = append(free, i)
		}
	}
	return free
}

func pick(items []item, places []int) []item {
	picked := make([]item, len(places))
	for n, i := range places {
		picked[n] = items[i]
	}
	return picked
}

// judge decides what becomes of each event, in the order of the batch. Events
// without a verdict stay where they are: in the lane, or in the window, and then
// the later ones of their people stay too.
func (d *drain) judge(items []item, outcomes []delivery.Outcome, down bool, suspects map[origin]delivery.Outcome) []verdict {
	var verdicts []verdict
	moved := make(map[string]bool)   // people who get an event in the lane now
	staying := make(map[string]bool) // people who have one in the window
	mark := func(set map[string]bool, people []string) {
		for _, id := range people {
			set[id] = true
		}
	}
	give := func(it item, o delivery.Outcome) {
		verdicts = append(verdicts, verdict{item: it, outcome: o})
		if !o.Final() && !o.Aside() {
			mark(moved, it.people)
		}
	}
	now := d.clock.now()
	for i, it := range items {
		o := outcomes[i]
		suspect, vain := suspects[it.origin]
		first := d.lane.oldest(it.people)
		switch {
		case it.skip == notWanted:
			give(it, delivery.Skipped(delivery.ReasonNotRouted))
		case it.skip != "":
			give(it, delivery.Skipped(it.skip))
		case o.Valid() && (o.Final() || o.Doubt() > 0 || o.Aside() || o.Tried() && !down):
			give(it, o)
		case !o.Valid() && it.isTooLate(now):
			verdicts = append(verdicts, verdict{item: it, outcome: ambiguous(it.waiting), late: true})
		case !o.Valid() && vain:
			give(it, delivery.Retry(suspect.Reason(), suspect.Err(), suspect.After(), suspect.Calls()...))
		case it.waiting != nil:
			// It keeps its place in the lane.
		case anyOf(staying, it.people):
			mark(staying, it.people)
		case first != nil && it.origin.before(first.origin) && it.origin.seq <= d.restart:
			// A later event of the person waits in the lane, so this one was
			// settled before the program stopped.
			d.window.handle(it.origin)
		case first != nil, anyOf(moved, it.people):
			give(it, delivery.Behind())
		default:
			mark(staying, it.people)
		}
	}
	return verdicts
}

// settlement is what is written down of verdicts.
type settlement struct {
	reports []delivery.Report
	letters []Letter
	waiters []waiter
}

func (s *settlement) report(e event.Event, r delivery.Report) {
	s.reports = append(s.reports, r)
	if r.Status == delivery.StatusDead || r.Status == delivery.StatusAmbiguous {
		s.letters = append(s.letters, Letter{Report: r, Body: e.Body})
	}
}

// draft decides what is written down, and delays what is in the lane already.
func (d *drain) draft(verdicts []verdict, resolved []delivery.Resolved) settlement {
	var s settlement
	now := d.clock.now()
	for _, r := range resolved {
		s.report(r.Event, delivery.ReportOf(r.Event, d.destination.Name(), r.Outcome, 1, now))
	}
	queued := make(map[string]bool)
	for i, v := range verdicts {
		attempts, waits := v.attempts, v.outcome.Status() == delivery.StatusWaiting
		if v.outcome.Tried() && !v.late {
			attempts++
			if waits && !v.since.IsZero() && d.uptime().Sub(v.since) > d.spool.o.Horizon {
				v.outcome, waits = delivery.Dead(delivery.ReasonExpired, v.outcome.Err(), v.outcome.Calls()...), false
				verdicts[i] = v
			}
		}
		if key := keyOf(v.event); v.waiting == nil && (d.lane.events[key] != nil || waits && queued[key]) {
			continue // the same event was sent twice, and waits already
		}
		s.report(v.event, delivery.ReportOf(v.event, d.destination.Name(), v.outcome, attempts, now))
		if !waits {
			continue
		}
		w := waiter{item: v.item, due: now, attempts: attempts, aside: v.outcome.Aside()}
		if w.item.doubt.IsZero() && v.outcome.Doubt() > 0 {
			w.item.doubt = now.Add(v.outcome.Doubt())
		}
		if v.outcome.Tried() {
			w.due = d.spool.o.Retry.nextTry(now, attempts, v.outcome, w.item.doubt)
			if w.item.since.IsZero() {
				w.item.since = d.uptime()
			}
		}
		if v.outcome.Doubt() > 0 {
			w.silence = v.outcome
		}
		if v.waiting != nil {
			d.lane.delay(v.waiting, w)
			continue
		}
		queued[keyOf(v.event)] = true
		s.waiters = append(s.waiters, w)
	}
	return s
}

// settle makes what becomes of events durable: dead letters, the reports, the
// retry lane, and last the progress. resolved are events that were held. A crash
// in between repeats work and loses nothing.
func (d *drain) settle(ctx context.Context, verdicts []verdict, resolved []delivery.Resolved) error {
	if len(verdicts)+len(resolved) == 0 {
		return nil
	}
	s := d.draft(verdicts, resolved)
	// The reports come before the lane: an event in the lane says that the
	// earlier ones of its people are settled.
	for _, write := range []func(context.Context) error{
		func(ctx context.Context) error { return d.spool.bury(ctx, s.letters, d.claim.on(deadStream)...) },
		func(ctx context.Context) error { return d.spool.report(ctx, s.reports) },
	} {
		if err := d.insist(ctx, write); err != nil {
			return err
		}
	}
	kept, err := d.enqueue(ctx, s.waiters)
	if err != nil {
		return err
	}
	verdicts = slices.DeleteFunc(verdicts, func(v verdict) bool { return kept[v.origin] })
	d.spool.metrics.settled(d.destination.Name(), s.reports)
	d.noteRetrying()
	return d.conclude(ctx, verdicts)
}

// conclude writes down that events are settled, and deletes the records of the
// lane that are.
func (d *drain) conclude(ctx context.Context, verdicts []verdict) error {
	var done []*group
	for _, v := range verdicts {
		switch {
		case v.waiting == nil:
			d.window.handle(v.origin)
		case v.outcome.Final():
			if g := d.lane.remove(v.waiting); g != nil {
				done = append(done, g)
			}
		}
	}
	d.progress.Lane = make(map[uint64]bits)
	for seq, g := range d.lane.groups {
		if len(g.settled) > 0 {
			d.progress.Lane[seq] = g.settled
		}
	}
	for _, g := range done {
		d.progress.Lane[g.seq] = g.settled
	}
	d.progress.Doubts = d.lane.listDoubts()
	d.window.advance(&d.progress)
	d.savedAt = d.clock.now()
	if err := d.insist(ctx, func(ctx context.Context) error {
		return d.spool.saveProgress(ctx, d.feed.reader, d.progress, d.claim.on(cursorsStream)...)
	}); err != nil {
		return err
	}
	for _, g := range done {
		delete(d.progress.Lane, g.seq)
		if err := d.insist(ctx, func(ctx context.Context) error { return d.dropGroup(ctx, g.seq) }); err != nil {
			return err
		}
	}
	return nil
}

func anyOf(set map[string]bool, ids []string) bool {
	for _, id := range ids {
		if set[id] {
			return true
		}
	}
	return false
}
