package people

import (
	"context"

	"github.com/verobridge/verobridge/internal/delivery"
)

// maxExpired bounds the events that one sweep gives up.
const maxExpired = 10_000

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
