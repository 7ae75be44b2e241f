package people

import (
	"context"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// releaseBudget is how long a delivery begins to release events, and to deliver
// what comes after them. The rest is left for the next one.
const releaseBudget = 10 * time.Second

// HeldProperty marks an event that was held, among its properties.
const HeldProperty = "verobridge_held"

// somebody stands for the user of a visitor who is not known.
const somebody = "somebody"

// ResolverOptions say what a destination does with events of anonymous visitors.
type ResolverOptions struct {
	// Plan says what the destination would make of an event: whether it sends
	// anything, and why not. Required.
	Plan func(event.Event) (sends bool, reason delivery.Reason)
	// Hold names the track events that are held until their visitor identifies,
	// as they are sent. Defaults to none.
	Hold []string
	// For is how long after its receipt an event is held. Defaults to 30 days.
	For time.Duration
	// CaughtUp says whether the warehouse has everything that was accepted, and
	// all reports that were made, before the program started. Before that nobody
	// is taken for unknown, and nothing is released. Defaults to always.
	CaughtUp func() bool
}

// Resolver is a destination that gives the events of anonymous visitors their
// userId before another destination gets them, as package people's
// documentation says. It is a delivery.Sweeper.
type Resolver struct {
	delivery.Destination
	people *People
	o      ResolverOptions
	hold   map[string]bool
	held   *held
	// visitors holds what is known of visitors, as of the event in hand.
	visitors *lru.Cache[visitor, acquaintance]
	// owed are the visitors who identified while their events could not be
	// released, with their users. Sweep does it.
	owed *lru.Cache[visitor, string]
}

// acquaintance is what is known of a visitor. The zero acquaintance is a visitor
// whom nobody has linked.
type acquaintance struct {
	link
	// passed says that the call that made the link has come by here. One that is
	// in the table already may still be on its way.
	passed bool
}

// Resolve wraps a destination.
func (p *People) Resolve(d delivery.Destination, o ResolverOptions) *Resolver {
	if o.For == 0 {
		o.For = 30 * 24 * time.Hour
	}
	if o.CaughtUp == nil {
		o.CaughtUp = func() bool { return true }
	}
	r := &Resolver{
		Destination: d, people: p, o: o, hold: make(map[string]bool),
		held:     &held{db: p.db, destination: d.Name()},
		visitors: newCache[acquaintance](), owed: newCache[string](),
	}
	for _, name := range o.Hold {
		r.hold[name] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resolvers = append(p.resolvers, r)
	p.metrics.watch(d.Name(), r.held.size)
	return r
}

// step is an event of a batch on its way to the destination.
type step struct {
	index int // in the batch
	event event.Event
	// userID is whom an anonymous event was found to be about.
	userID string
	// releases are the visitors whose held events follow this one.
	releases []visitor
}

// Start implements delivery.Starter: what another bridge has held, released and
// met is in the tables.
func (r *Resolver) Start() {
	r.held.forget()
	r.visitors.Purge()
	r.owed.Purge()
}

// Deliver implements delivery.Destination. Most batches go through as they are,
// with a userId here and there. Behind a call that links a visitor of whom
// events are held, the events of its people are cut off: the held ones go first.
func (r *Resolver) Deliver(ctx context.Context, batch []event.Event) []delivery.Outcome {
	begun := r.people.now()
	outcomes := make([]delivery.Outcome, len(batch))
	steps := r.resolve(ctx, batch, outcomes)
	held := make(map[eventKey]int) // those of this batch
	for i, e := range batch {
		if outcomes[i].Status() == delivery.StatusHeld {
			held[keyOf(e)] = i
		}
	}
	for len(steps) > 0 {
		segments := cut(steps)
		r.forward(ctx, segments, outcomes)
		late := ctx.Err() != nil || r.people.now().Sub(begun) > releaseBudget
		r.releaseBehind(ctx, segments, late, held, outcomes)
		steps = nil
		for _, s := range segments {
			if late || !s.done(outcomes) {
				for _, step := range s.later {
					outcomes[step.index] = delivery.Behind()
				}
				continue
			}
			steps = append(steps, s.later...)
		}
		slices.SortFunc(steps, func(a, b step) int { return a.index - b.index })
	}
	return outcomes
}

// segment is a chain of events that share people, cut behind the first one that
// releases others.
type segment struct{ now, later []step }

func cut(steps []step) []segment {
	if !slices.ContainsFunc(steps, step.isRelease) {
		return []segment{{now: steps}}
	}
	events := make([]event.Event, len(steps))
	for i, s := range steps {
		events[i] = s.event
	}
	var segments []segment
	for _, chain := range delivery.Chains(events) {
		var s segment
		for _, i := range chain {
			if n := len(s.now); n > 0 && s.now[n-1].isRelease() {
				s.later = append(s.later, steps[i])
			} else {
				s.now = append(s.now, steps[i])
			}
		}
		segments = append(segments, s)
	}
	return segments
}

func (s step) isRelease() bool { return len(s.releases) > 0 }

// done says whether what comes later may be delivered.
func (s segment) done(outcomes []delivery.Outcome) bool {
	return len(s.later) > 0 && !slices.ContainsFunc(s.now, func(step step) bool { return !outcomes[step.index].Final() })
}

// forward delivers the first parts of the segments, in the order of the batch.
func (r *Resolver) forward(ctx context.Context, segments []segment, outcomes []delivery.Outcome) {
	var steps []step
	for _, s := range segments {
		steps = append(steps, s.now...)
	}
	slices.SortFunc(steps, func(a, b step) int { return a.index - b.index })
	events := make([]event.Event, len(steps))
	for i, s := range steps {
		events[i] = s.event
	}
	for i, outcome := range r.Destination.Deliver(ctx, events) {
		if steps[i].userID != "" {
			outcome = outcome.About(steps[i].userID)
		}
		outcomes[steps[i].index] = outcome
	}
}
