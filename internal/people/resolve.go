package people

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// resolve decides for each event of a batch whom it is about. Those that are
// held, or have to wait, get their outcomes; the others are returned.
func (r *Resolver) resolve(ctx context.Context, batch []event.Event, outcomes []delivery.Outcome) []step {
	unknown := r.lookUp(ctx, batch)
	steps := make([]step, 0, len(batch))
	var holding []int
	isHolding := make(map[visitor]bool)
	for i, e := range batch {
		s := step{index: i, event: e}
		for _, v := range linksOf(e) {
			r.meet(v, link{e.UserID(), e.ReceivedAt})
			if isHolding[v] || r.mayHold(ctx, v) {
				s.releases = append(s.releases, v)
			}
		}
		if v, anonymous := r.visitorOf(e); anonymous {
			known, cached := r.visitors.Get(v)
			hold := r.hold[e.Name()] && e.Type == event.Track
			switch {
			case known.known(e.ReceivedAt):
				s.event, s.userID = e.WithUser(known.userID), known.userID
			case hold && known.passed: // it comes late, after the call that it would be held for
				s.event, s.userID = released(e, known.userID), known.userID
			case !cached && unknown[v] != nil && r.matters(e):
				outcomes[i] = delivery.Aside(delivery.ReasonIdentities, unknown[v])
				continue
			case hold && r.matters(e):
				outcomes[i] = delivery.Held(delivery.ReasonHeld)
				holding, isHolding[v] = append(holding, i), true
				continue
			}
		}
		steps = append(steps, s)
	}
	r.keep(ctx, batch, holding, outcomes)
	return steps
}

// keep stores the events that are to be held. One that cannot be stored waits.
func (r *Resolver) keep(ctx context.Context, batch []event.Event, holding []int, outcomes []delivery.Outcome) {
	if len(holding) == 0 {
		return
	}
	events := make([]event.Event, len(holding))
	for n, i := range holding {
		events[n] = batch[i]
	}
	refused, err := r.held.keep(ctx, events, r.o.For)
	for _, i := range holding {
		switch {
		case err != nil:
			outcomes[i] = delivery.Aside(delivery.ReasonIdentities, err)
		case refused[keyOf(batch[i])]:
			outcomes[i] = delivery.Skipped(delivery.ReasonHeldFull)
		}
	}
}

// errBehind says that the table may lack links.
var errBehind = errors.New("the warehouse has not loaded yet what was accepted before the start")

const readLinks = `
select i.source, i.anonymous_id, i.user_id, i.linked_at
from unnest($1::text[], $2::text[]) v (source, anonymous_id)
join verobridge.identities i using (source, anonymous_id)`

// lookUp asks who the visitors of a batch are that the cache does not have, in
// one question. It returns those of whom it is not known, and why.
func (r *Resolver) lookUp(ctx context.Context, batch []event.Event) (unknown map[visitor]error) {
	asked := make(map[visitor]bool)
	var sources, anonymous []string
	for _, e := range batch {
		v, ok := r.visitorOf(e)
		if !ok || asked[v] || r.visitors.Contains(v) || !r.matters(e) {
			continue
		}
		asked[v] = true
		sources, anonymous = append(sources, v.source), append(anonymous, v.anonymousID)
	}
	if len(asked) == 0 {
		return nil
	}
	type row struct {
		Source, AnonymousID, UserID string
		LinkedAt                    time.Time
	}
	caughtUp := r.o.CaughtUp()
	rows, err := query(ctx, r.people.db, pgx.RowToStructByPos[row], readLinks, sources, anonymous)
	for _, found := range rows {
		v := visitor{found.Source, found.AnonymousID}
		r.visitors.Add(v, acquaintance{link: link{found.UserID, found.LinkedAt}})
		delete(asked, v)
	}
	switch {
	case err != nil:
		err = wrap("read identities", err)
	case !caughtUp:
		err = errBehind
	default:
		for v := range asked {
			r.visitors.Add(v, acquaintance{})
		}
		return nil
	}
	unknown = make(map[visitor]error, len(asked))
	for v := range asked {
		unknown[v] = err
	}
	return unknown
}

// meet takes note of a link as its call comes by. A visitor is a user from the
// first call on that says so.
func (r *Resolver) meet(v visitor, l link) {
	if known, ok := r.visitors.Peek(v); ok && known.userID == l.userID && known.since.Before(l.since) {
		l.since = known.since
	}
	r.visitors.Add(v, acquaintance{l, true})
}

// mayHold says whether events of a visitor may be held: also where the table
// could not be read yet.
func (r *Resolver) mayHold(ctx context.Context, v visitor) bool {
	return r.held.open(ctx) != nil || r.held.any(v)
}

// visitorOf returns whom an event is about that the destination cannot send
// because it names nobody.
func (r *Resolver) visitorOf(e event.Event) (v visitor, anonymous bool) {
	v = visitor{clean(e.Source), clean(e.AnonymousID())}
	if v.anonymousID == "" || len(v.anonymousID) > maxIDBytes || e.UserID() != "" {
		return visitor{}, false
	}
	sends, reason := r.o.Plan(e)
	return v, !sends && reason == delivery.ReasonNoIdentity
}

// matters says whether the destination would send an event if its visitor were
// known.
func (r *Resolver) matters(e event.Event) bool {
	sends, _ := r.o.Plan(e.WithUser(somebody))
	return sends
}
