package spool

import (
	"context"
	"slices"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// settleTimeout bounds the writing of what became of a batch. It runs to its
// end also while the program stops: what was sent must not be sent again.
const settleTimeout = 10 * time.Second

func settling(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
}

// verdict is an event with what became of it.
type verdict struct {
	item
	outcome delivery.Outcome
}

// split parts the verdicts on events from those on the destination. While the
// destination is unavailable, what it did not try stays with what it could not
// take, in order.
func split(items []item, outcomes []delivery.Outcome) (settled, unavailable []verdict) {
	down := slices.ContainsFunc(outcomes, delivery.Outcome.Unavailable)
	for i, it := range items {
		v := verdict{it, outcomes[i]}
		if v.outcome.Unavailable() || down && !v.outcome.Tried() {
			unavailable = append(unavailable, v)
		} else {
			settled = append(settled, v)
		}
	}
	return settled, unavailable
}

func itemsOf(verdicts []verdict) []item {
	items := make([]item, len(verdicts))
	for i, v := range verdicts {
		items[i] = v.item
	}
	return items
}

// settle makes what became of events durable: dead letters, the retry lane,
// then the reports. Only what it has written is taken off the lane, and only
// after it the caller acknowledges the record, so that a crash in between
// repeats work and loses nothing.
func (d *drain) settle(ctx context.Context, verdicts []verdict) error {
	if len(verdicts) == 0 {
		return nil
	}
	ctx, cancel := settling(ctx)
	defer cancel()
	now := time.Now()
	reports := make([]delivery.Report, len(verdicts))
	for i, v := range verdicts {
		if v.outcome.Status() == delivery.StatusWaiting && !v.since.IsZero() && now.Sub(v.since) > d.spool.o.Horizon {
			v.outcome = delivery.Dead(delivery.ReasonExpired, v.outcome.Err(), v.outcome.Calls()...)
			verdicts[i] = v
		}
		attempts := v.attempts
		if v.outcome.Tried() {
			attempts++
		}
		reports[i] = delivery.ReportOf(v.event, d.destination.Name(), v.outcome, attempts, now)
		var err error
		switch v.outcome.Status() {
		case delivery.StatusDead:
			err = d.spool.bury(ctx, reports[i], v.event)
		case delivery.StatusWaiting:
			err = d.lane.retry(ctx, v.item, attempts, v.outcome, now)
		}
		if err != nil {
			return err
		}
	}
	if err := d.spool.report(ctx, reports); err != nil {
		return err
	}
	for _, v := range verdicts {
		if v.lane != 0 && v.outcome.Final() {
			if err := d.lane.remove(ctx, v.lane); err != nil {
				return err
			}
		}
	}
	d.spool.metrics.settled(d.destination.Name(), reports)
	return nil
}

// acknowledge moves the cursor past a batch whose events are all settled.
func (d *drain) acknowledge(ctx context.Context, b batch) error {
	ctx, cancel := settling(ctx)
	defer cancel()
	return d.cursor.settled(ctx, b.last)
}

// park moves events to the lane that were not tried, because their destination
// is paused or the program stops.
func (d *drain) park(ctx context.Context, items []item) error {
	reason := d.paused
	if ctx.Err() != nil {
		reason = delivery.ReasonStopping
	}
	verdicts := make([]verdict, len(items))
	for i, it := range items {
		verdicts[i] = verdict{it, delivery.NotTried(reason)}
	}
	return d.settle(ctx, verdicts)
}

// pause begins or prolongs the pause of a destination that takes nothing. What
// it was tried with is reported as waiting, once for each pause.
func (d *drain) pause(ctx context.Context, unavailable []verdict) error {
	first := unavailable[slices.IndexFunc(unavailable, func(v verdict) bool { return v.outcome.Unavailable() })].outcome
	if d.failures == 0 {
		d.log.Warn("destination paused; everything is kept and it is probed until it answers",
			"reason", first.Reason(), "error", first.Err())
		var reports []delivery.Report
		for _, v := range unavailable {
			if v.outcome.Tried() {
				reports = append(reports, delivery.ReportOf(v.event, d.destination.Name(), v.outcome, v.attempts+1, time.Now()))
			}
		}
		ctx, cancel := settling(ctx)
		defer cancel()
		if err := d.spool.report(ctx, reports); err != nil {
			return err
		}
	}
	d.failures++
	d.paused = first.Reason()
	d.probeAt = time.Now().Add(max(first.After(), d.spool.o.Probe.wait(d.failures)))
	d.spool.metrics.pause(d.destination.Name(), true)
	return nil
}

// resume ends a pause.
func (d *drain) resume() {
	if d.failures > 0 {
		d.log.Info("destination answers again")
	}
	d.failures = 0
	d.spool.metrics.pause(d.destination.Name(), false)
}
