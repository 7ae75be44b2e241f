package warehouse

import (
	"errors"
	"iter"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// A batch is mapped chunk by chunk, each of which is loaded in one transaction
// while the next is mapped. The first is small, so that Postgres begins soon, and
// each may be twice as large as the one before: mapping is that much faster.
const (
	firstChunk   = 500
	largestChunk = 2500
)

// chunk is a part of a batch, mapped.
type chunk struct {
	items    []*item
	parts    []*part
	panicked any // what the mapping panicked with
}

// mapAhead maps a batch ahead of who takes its chunks. Events that have no rows
// get their outcomes and are left out.
func (l *Loader) mapAhead(batch []event.Event, outcomes []delivery.Outcome) iter.Seq[chunk] {
	return func(yield func(chunk) bool) {
		chunks := make(chan chunk, len(batch)/firstChunk+2) // room for all, so nobody waits in vain
		go func() {
			defer close(chunks)
			// The spool takes care of a panic, but not of one in a goroutine.
			defer func() {
				if p := recover(); p != nil {
					chunks <- chunk{panicked: p}
				}
			}()
			mapper := newMapper(l.shape)
			for size := firstChunk; len(batch) > 0; size = min(2*size, largestChunk) {
				n := min(size, len(batch))
				items := mapper.items(batch[:n], outcomes[:n])
				chunks <- chunk{items: items, parts: l.partsOf(items)}
				batch, outcomes = batch[n:], outcomes[n:]
			}
		}()
		for c := range chunks {
			if c.panicked != nil {
				panic(c.panicked)
			}
			if !yield(c) {
				return
			}
		}
	}
}

// items maps events to their rows.
func (m *mapper) items(events []event.Event, outcomes []delivery.Outcome) []*item {
	items := make([]*item, 0, len(events))
	for i, e := range events {
		record, err := m.record(e)
		switch {
		case errors.Is(err, errUnwanted):
			outcomes[i] = delivery.Skipped(delivery.ReasonIntegrations)
		case err != nil:
			outcomes[i] = delivery.Dead(delivery.ReasonUnreadable, err)
		default:
			items = append(items, &item{event: e, record: record, outcome: &outcomes[i]})
		}
	}
	return items
}
