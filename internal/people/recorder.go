package people

import (
	"context"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// rememberedVisitors bounds what a cache holds, to some ten megabytes. A
// visitor beyond it costs a question to the database.
const rememberedVisitors = 1 << 16

// Recorder is the warehouse as a destination that also keeps verobridge.identities:
// when the rows of a batch are committed, the links in it are written. Where
// that fails, the calls that link are delivered again, which changes no row. So
// links are as durable as the warehouse's rows, and no other destination waits
// for them.
type Recorder struct {
	delivery.Destination
	db *database
	// written are the links that the table has, so that the calls of a visitor
	// who identifies on every page cost nothing.
	written *lru.Cache[visitor, link]
}

// Record wraps the warehouse.
func (p *People) Record(d delivery.Destination) *Recorder {
	r := &Recorder{Destination: d, db: p.db, written: newCache[link]()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recorders = append(p.recorders, r)
	return r
}

// Start implements delivery.Starter: another bridge may have written links.
func (r *Recorder) Start() { r.written.Purge() }

// Deliver implements delivery.Destination.
func (r *Recorder) Deliver(ctx context.Context, batch []event.Event) []delivery.Outcome {
	outcomes := r.Destination.Deliver(ctx, batch)
	links := make(map[visitor]link)
	var linking []int
	for i, e := range batch {
		if outcomes[i].Status() != delivery.StatusDelivered {
			continue
		}
		isNew := false
		for _, v := range linksOf(e) {
			next := link{e.UserID(), e.ReceivedAt}
			if known, ok := r.written.Get(v); ok && known.userID == next.userID && links[v].userID == "" {
				continue
			}
			isNew = true
			if !next.since.Before(links[v].since) && links[v].userID != next.userID {
				links[v] = next
			}
		}
		if isNew {
			linking = append(linking, i)
		}
	}
	if len(links) == 0 {
		return outcomes
	}
	if err := r.write(ctx, links); err != nil {
		for _, i := range linking {
			outcomes[i] = delivery.Retry(delivery.ReasonIdentities, wrap("write identities", err), 0)
		}
	}
	return outcomes
}

// writeLinks keeps the time of the first call that made a link, and never goes
// back to an older user.
const writeLinks = `
insert into verobridge.identities as i (source, anonymous_id, user_id, linked_at)
select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) l (source, anonymous_id, user_id, linked_at)
order by 1, 2
on conflict (source, anonymous_id) do update set user_id = excluded.user_id, linked_at = excluded.linked_at
where i.user_id <> excluded.user_id and i.linked_at <= excluded.linked_at`

func (r *Recorder) write(ctx context.Context, links map[visitor]link) error {
	var sources, anonymous, users []string
	var times []time.Time
	for v, l := range links {
		sources, anonymous = append(sources, clean(v.source)), append(anonymous, clean(v.anonymousID))
		users, times = append(users, clean(l.userID)), append(times, l.since)
	}
	if err := r.db.exec(ctx, writeLinks, sources, anonymous, users, times); err != nil {
		return err
	}
	for v, l := range links {
		if known, ok := r.written.Peek(v); !ok || !known.since.After(l.since) {
			r.written.Add(v, l)
		}
	}
	return nil
}

func newCache[T any]() *lru.Cache[visitor, T] {
	cache, err := lru.New[visitor, T](rememberedVisitors)
	if err != nil {
		panic(err) // only a size below one is refused
	}
	return cache
}
