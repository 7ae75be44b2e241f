package spool

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

const (
	// massFailure is how many events must fail in a passing way, and none
	// succeed, for the destination to count as unavailable: then they wait where
	// they are instead of filling the retry lane.
	massFailure = 10
	// probesEach is how often one event probes a paused destination before
	// another one does. It may be the event that is refused, not we.
	probesEach = 3
)

// pause is a destination's pause. The zero value is none.
type pause struct {
	failures int       // in a row; 0 while the destination is not paused
	counted  time.Time // up to when the pause is part of progress.Down
	probeAt  time.Time
	// suspects are the events that probed in vain. When another one gets
	// through, it was their own fault, or is over: they go to the retry lane.
	suspects map[origin]delivery.Outcome
}

func (p pause) active() bool { return p.failures > 0 }

// probe picks the event to try a paused destination with: the first one of some
// person, each in turn. Those in doubt come first: a probe that hangs puts no
// other event in doubt then, and time is short for them. Next come those that
// have failed least.
func (p pause) probe(items []item) int {
	events := make([]event.Event, len(items))
	for i, it := range items {
		events[i] = it.event
	}
	chains := delivery.Chains(events)
	slices.SortStableFunc(chains, func(a, b []int) int {
		x, y := items[a[0]], items[b[0]]
		switch {
		case x.inDoubt() && !y.inDoubt():
			return -1
		case y.inDoubt() && !x.inDoubt():
			return 1
		default:
			return cmp.Compare(x.attempts, y.attempts)
		}
	})
	return chains[(p.failures-1)/probesEach%len(chains)][0]
}

// isDown judges the destination by what became of a batch: it is down if it
// says so, if nothing got through and much failed that was fresh, or if a probe
// failed. That events of the lane fail again says nothing about it.
func (p pause) isDown(items []item, outcomes []delivery.Outcome) bool {
	failed, through := 0, false
	for i, o := range outcomes {
		switch {
		case o.Unavailable():
			return true
		case o.Aside():
			// It waits for something else.
		case o.Status() == delivery.StatusWaiting && o.Tried() && (items[i].waiting == nil || p.active()):
			failed++
		case o.Status() == delivery.StatusDelivered, o.Status() == delivery.StatusDead:
			through = true
		}
	}
	return !through && (failed >= massFailure || p.active() && failed > 0)
}

// isUp says whether something got through. What was only skipped says nothing
// about whether anybody is there.
func isUp(outcomes []delivery.Outcome) bool {
	for _, o := range outcomes {
		if s := o.Status(); s == delivery.StatusDelivered || s == delivery.StatusDead {
			return true
		}
	}
	return false
}

// prolong begins a pause, or makes the next wait longer. What the destination
// failed on is reported as waiting, once for each pause.
func (d *drain) prolong(ctx context.Context, items []item, outcomes []delivery.Outcome) error {
	var first delivery.Outcome
	var reports []delivery.Report
	for i, o := range outcomes {
		if !o.Tried() || o.Final() {
			continue
		}
		if !first.Valid() {
			first = o
		}
		reports = append(reports, delivery.ReportOf(items[i].event, d.destination.Name(), o, items[i].attempts+1, d.clock.now()))
	}
	if !d.pause.active() {
		d.log.Warn("destination paused; everything is kept and it is probed until it answers",
			"reason", first.Reason(), "error", first.Err())
		if err := d.insist(ctx, func(ctx context.Context) error { return d.spool.report(ctx, reports) }); err != nil {
			return err
		}
		d.pause.suspects, d.pause.counted = make(map[origin]delivery.Outcome), d.clock.now()
	}
	if len(items) == 1 {
		d.pause.suspects[items[0].origin] = outcomes[0]
	}
	d.pause.failures++
	d.pause.probeAt = d.clock.now().Add(max(first.After(), d.spool.o.Probe.wait(d.pause.failures)))
	d.notePause(first)
	d.countDown()
	return d.save(ctx)
}

// countDown adds to progress for how long the destination has been down.
func (d *drain) countDown() {
	now := d.clock.now()
	d.progress.Down += now.Sub(d.pause.counted)
	d.pause.counted = now
}

// uptime is a clock that stands still while the destination is down. The retry
// horizon goes by it: an event that cannot be tried has not failed.
func (d *drain) uptime() time.Time { return d.clock.now().Add(-d.progress.Down) }

// resume ends a pause and returns the events that probed in vain.
func (d *drain) resume() (suspects map[origin]delivery.Outcome) {
	if !d.pause.active() {
		return nil
	}
	d.log.Info("destination answers again")
	d.noteResumed()
	suspects = d.pause.suspects
	d.countDown()
	d.pause = pause{}
	return suspects
}
