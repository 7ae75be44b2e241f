package people

import (
	"context"
	"errors"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// knownWait is how long a delivery waits until it is known who was erased. At
// a start that takes a moment.
const knownWait = 5 * time.Second

// guard is a destination that gets no events of people who were erased.
type guard struct {
	delivery.Destination
	people *People
}

// sweepingGuard is one around a destination that holds events.
type sweepingGuard struct {
	guard
	sweeper delivery.Sweeper
}

// Guard wraps a destination, so that the events of people who were erased are
// skipped. While nobody knows who was erased the destination is unavailable.
func (p *People) Guard(d delivery.Destination) delivery.Destination {
	g := guard{d, p}
	if s, holds := d.(delivery.Sweeper); holds {
		return sweepingGuard{g, s}
	}
	return g
}

// Deliver implements delivery.Destination.
func (g guard) Deliver(ctx context.Context, batch []event.Event) []delivery.Outcome {
	outcomes := make([]delivery.Outcome, len(batch))
	if !g.people.awaitKnown(ctx) {
		for i := range outcomes {
			outcomes[i] = delivery.Unavailable(delivery.ReasonSuppressions, errors.New("the warehouse has never been reached"), 0)
		}
		return outcomes
	}
	g.people.delivering.RLock()
	defer g.people.delivering.RUnlock()
	var wanted []event.Event
	for i, e := range batch {
		if g.people.suppressions.Suppressed(e) {
			outcomes[i] = delivery.Skipped(delivery.ReasonSuppressed)
			continue
		}
		wanted = append(wanted, e)
	}
	if len(wanted) == 0 {
		return outcomes
	}
	made := g.Destination.Deliver(ctx, wanted)
	for i := range outcomes {
		if !outcomes[i].Valid() && len(made) > 0 {
			outcomes[i], made = made[0], made[1:]
		}
	}
	return outcomes
}

// Start implements delivery.Starter.
func (g guard) Start() {
	if s, remembers := g.Destination.(delivery.Starter); remembers {
		s.Start()
	}
}

// Sweep implements delivery.Sweeper.
func (g sweepingGuard) Sweep(ctx context.Context) ([]delivery.Resolved, error) {
	if !g.people.suppressions.Known() {
		return nil, nil
	}
	g.people.delivering.RLock()
	defer g.people.delivering.RUnlock()
	return g.sweeper.Sweep(ctx)
}

// awaitKnown waits a while until it is known who was erased.
func (p *People) awaitKnown(ctx context.Context) bool {
	if p.suppressions.Known() {
		return true
	}
	timer := time.NewTimer(knownWait)
	defer timer.Stop()
	select {
	case <-p.suppressions.known:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
