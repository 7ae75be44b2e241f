package warehouse

import (
	"context"
	"slices"
	"sync"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// Loads of one schema take turns, so a second connection brings something only to
// another schema. With several connections the sources are dealt out among as
// many loaders, which share the pool and know the tables of their own schemas.
// All events of a source stay with one loader, so that users keep their order.

// beside makes another loader of the same warehouse.
func (l *Loader) beside() *Loader {
	other := &Loader{
		url: l.url, sources: l.sources, readers: l.readers, shape: l.shape, maxColumns: l.maxColumns,
		lockTimeout: l.lockTimeout, lockPause: l.lockPause, loadTimeout: l.loadTimeout, budget: l.budget,
		pace: pace{width: largestChunk}, logger: l.logger, metrics: l.metrics, now: l.now, pool: l.pool,
		prepared: l.prepared, locked: make(map[table]lock), mapper: newMapper(l.shape),
	}
	other.catalog.forget()
	return other
}

// loaderOf returns the loader of a source.
func (l *Loader) loaderOf(source string) *Loader {
	place := slices.IndexFunc(l.sources, func(s Source) bool { return s.Name == source })
	if place %= len(l.others) + 1; place > 0 {
		return l.others[place-1]
	}
	return l // also of sources that are not listed
}

// Deliver implements delivery.Destination. It answers when the rows are
// committed. The order of events does not matter here: each row carries its
// own times, and users and accounts go by the time of receipt. What it does not
// come to within the budget is left for the next time.
func (l *Loader) Deliver(ctx context.Context, batch []event.Event) []delivery.Outcome {
	if len(l.others) == 0 || !l.prepared.Load() {
		return l.deliver(ctx, batch)
	}
	shares := make(map[*Loader][]int) // places in the batch
	for i, e := range batch {
		of := l.loaderOf(e.Source)
		shares[of] = append(shares[of], i)
	}
	outcomes := make([]delivery.Outcome, len(batch))
	var loading sync.WaitGroup
	panicked := make(chan any, len(shares))
	for loader, places := range shares {
		loading.Go(func() {
			// The spool takes care of a panic, but not of one in a goroutine.
			defer func() {
				if p := recover(); p != nil {
					panicked <- p
				}
			}()
			share := make([]event.Event, len(places))
			for i, place := range places {
				share[i] = batch[place]
			}
			for i, o := range loader.deliver(ctx, share) {
				outcomes[places[i]] = o
			}
		})
	}
	loading.Wait()
	if len(panicked) > 0 {
		panic(<-panicked)
	}
	return outcomes
}
