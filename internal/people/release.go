package people

import (
	"context"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// maxReleased bounds the events that are released by one delivery.
const maxReleased = 1000

// released is a held event as it goes out.
func released(e event.Event, userID string) event.Event {
	return e.WithUser(userID).WithProperty(HeldProperty, "true")
}

// identified is a visitor with the user he turned out to be.
type identified struct {
	visitor visitor
	userID  string
}

// releaseBehind releases the events of the visitors whom the last calls of the
// segments linked, if those succeeded. It joins what comes of it to the outcomes
// of the calls, or to those of the held events where they are in the same batch.
func (r *Resolver) releaseBehind(ctx context.Context, segments []segment, late bool, here map[eventKey]int, outcomes []delivery.Outcome) {
	var who []identified
	var of []int // the index of the call, for each of them
	for _, s := range segments {
		if len(s.now) == 0 {
			continue
		}
		call := s.now[len(s.now)-1]
		if o := outcomes[call.index]; o.Status() != delivery.StatusDelivered && o.Reason() != delivery.ReasonNothingToSend {
			continue
		}
		for _, v := range call.releases {
			who, of = append(who, identified{v, call.event.UserID()}), append(of, call.index)
		}
	}
	if len(who) == 0 {
		return
	}
	if late || !r.o.CaughtUp() {
		for _, w := range who {
			r.owed.Add(w.visitor, w.userID)
		}
		return
	}
	for n, result := range r.release(ctx, who) {
		own := outcomes[of[n]]
		if w := result.waits; w.Doubt() > 0 {
			own = delivery.Unanswered(w.Err(), w.Doubt(), own.Calls()...).With(own.Resolved()...)
		} else if w.Valid() {
			own = delivery.Retry(w.Reason(), w.Err(), w.After(), own.Calls()...).With(own.Resolved()...)
		}
		for _, done := range result.done {
			if i, inBatch := here[keyOf(done.Event)]; inBatch {
				outcomes[i] = done.Outcome
			} else {
				own = own.With(done)
			}
		}
		outcomes[of[n]] = own
	}
}

// result is what came of releasing the events of one visitor.
type result struct {
	done []delivery.Resolved
	// waits is the first outcome that is not final, not valid where all are.
	waits delivery.Outcome
}

// heldEvent is a held event on its way out.
type heldEvent struct {
	event event.Event
	of    int // the index of its visitor in the list of those identified
}

// release delivers the held events of visitors, those of each in order. Where
// they cannot be read, or are too many at once, it is left to a sweep.
func (r *Resolver) release(ctx context.Context, who []identified) []result {
	results := make([]result, len(who))
	var events []heldEvent
	for n, w := range who {
		held, err := r.held.of(ctx, w.visitor)
		if err != nil || len(events)+len(held) > maxReleased && len(events) > 0 {
			r.owed.Add(w.visitor, w.userID)
			continue
		}
		r.owed.Remove(w.visitor)
		for _, e := range held {
			if o := r.verdict(e); o.Valid() {
				results[n].done = append(results[n].done, r.settle(e, o))
			} else {
				events = append(events, heldEvent{e, n})
			}
		}
	}
	begun := r.people.now()
	for len(events) > 0 {
		behind := r.releaseOnce(ctx, who, events, results)
		if len(behind) == len(events) || ctx.Err() != nil || r.people.now().Sub(begun) > releaseBudget {
			for _, e := range behind {
				results[e.of].waits = delivery.Behind()
			}
			break
		}
		events = behind
	}
	return results
}

// releaseOnce delivers held events and returns those that the destination did
// not come to.
func (r *Resolver) releaseOnce(ctx context.Context, who []identified, events []heldEvent, results []result) (behind []heldEvent) {
	sent := make([]event.Event, len(events))
	for i, e := range events {
		sent[i] = released(e.event, who[e.of].userID)
	}
	for i, o := range r.Destination.Deliver(ctx, sent) {
		e, result := events[i], &results[events[i].of]
		switch {
		case o.Final():
			result.done = append(result.done, r.settle(e.event, o.About(who[e.of].userID)))
		case result.waits.Valid():
			// It waits with an earlier one.
		case !o.Tried():
			behind = append(behind, e)
		default:
			result.waits = o
		}
		if o.Doubt() > 0 {
			r.held.doubt(e.event, r.people.now().Add(o.Doubt()), o)
		}
	}
	return behind
}

// verdict returns what is to be done with a held event instead of delivering it,
// an outcome that is not valid if nothing is.
func (r *Resolver) verdict(e event.Event) delivery.Outcome {
	if r.people.suppressions.Suppressed(e) {
		return delivery.Skipped(delivery.ReasonSuppressed)
	}
	return r.held.tooLate(e, r.people.now())
}

// settle remembers that a held event is done with.
func (r *Resolver) settle(e event.Event, o delivery.Outcome) delivery.Resolved {
	r.held.settle(e)
	return delivery.Resolved{Event: e, Outcome: o}
}
