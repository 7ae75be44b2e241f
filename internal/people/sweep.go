package people

import (
	"context"

	"github.com/jackc/pgx/v5"

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
	if err := r.held.forgetGone(ctx); err != nil {
		return nil, err
	}
	if err := r.recallOwed(ctx); err != nil {
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

// oweds are the visitors of whom events are held although the call that links
// them has been delivered.
const oweds = `
select distinct h.source, h.anonymous_id, i.user_id
from verobridge.held_events h
join verobridge.identities i on i.source = h.source and i.anonymous_id = h.anonymous_id
where h.destination = $1 and exists (
	select from verobridge.deliveries d
	where d.user_id = i.user_id and d.received_at >= i.linked_at and d.source = h.source and d.destination = $1
	  and d.type in ('identify', 'alias') and d.status = 'delivered')`

// recallOwed remembers who is owed the release of his events: the program may
// have stopped before it could be done.
func (r *Resolver) recallOwed(ctx context.Context) error {
	type owing struct{ Source, AnonymousID, UserID string }
	rows, err := query(ctx, r.held.db, pgx.RowToStructByPos[owing], oweds, r.Name())
	if err != nil {
		return wrap("read who is owed held events", err)
	}
	for _, o := range rows {
		r.owed.Add(visitor{o.Source, o.AnonymousID}, o.UserID)
	}
	return nil
}
