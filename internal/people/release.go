package people

import (
	"context"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

const (
	// maxReleased bounds the events that are released by one delivery.
	maxReleased = 1000
	// maxExpired bounds the events that one sweep gives up.
	maxExpired = 10_000
)

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

// release delivers the held events of visitors, those of each in order. Where
// they cannot be read, or are too many at once, it is left to a sweep.
func (r *Resolver) release(ctx context.Context, who []identified) []result {
	results := make([]result, len(who))
	var events, sent []event.Event
	var of []int // the index in who, for each event
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
				continue
			}
			events, sent, of = append(events, e), append(sent, released(e, w.userID)), append(of, n)
		}
	}
	if len(events) == 0 {
		return results
	}
	for i, o := range r.Destination.Deliver(ctx, sent) {
		n := of[i]
		switch {
		case o.Final():
			results[n].done = append(results[n].done, r.settle(events[i], o.About(who[n].userID)))
		case !results[n].waits.Valid():
			results[n].waits = o
		}
		if o.Doubt() > 0 {
			r.held.doubt(events[i], r.people.now().Add(o.Doubt()), o)
		}
	}
	return results
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

// Sweep implements delivery.Sweeper: it releases what could not be released when
// its visitor identified, and gives up what was held for too long.
func (r *Resolver) Sweep(ctx context.Context) ([]delivery.Resolved, error) {
	if !r.o.CaughtUp() {
		return nil, nil
	}
	if err := r.held.open(ctx); err != nil {
		return nil, err
	}
	var who []identified
	for _, v := range r.owed.Keys() {
		userID, _ := r.owed.Peek(v)
		if r.held.any(v) {
			who = append(who, identified{v, userID})
		} else {
			r.owed.Remove(v)
		}
	}
	var resolved []delivery.Resolved
	for n, result := range r.release(ctx, who) {
		if result.waits.Valid() {
			r.owed.Add(who[n].visitor, who[n].userID)
		}
		resolved = append(resolved, result.done...)
	}
	expired, err := r.held.expired(ctx, r.people.now(), maxExpired)
	for _, e := range expired {
		resolved = append(resolved, r.settle(e, delivery.Skipped(delivery.ReasonHeldExpired)))
	}
	return resolved, err
}

// doubtUntil is until when the repetition of a held event is harmless, and what
// put it in doubt.
type doubtUntil struct {
	until   time.Time
	silence delivery.Outcome
}

// doubt remembers that an event may have taken effect.
func (h *held) doubt(e event.Event, until time.Time, silence delivery.Outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, already := h.doubts[keyOf(e)]; !already {
		h.doubts[keyOf(e)] = doubtUntil{until, silence}
	}
}

// tooLate returns Ambiguous for an event that may have taken effect and cannot
// be repeated without risk, an outcome that is not valid for others.
func (h *held) tooLate(e event.Event, now time.Time) delivery.Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	d, doubted := h.doubts[keyOf(e)]
	if !doubted || !now.After(d.until) {
		return delivery.Outcome{}
	}
	return delivery.Ambiguous(d.silence.Err(), d.silence.Calls()...)
}
