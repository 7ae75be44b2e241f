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

// mapAhead maps a batch, always one chunk ahead of who takes them. Events that
// have no rows get their outcomes and are left out. A chunk is gone when the next
// is taken.
func (l *Loader) mapAhead(batch []event.Event, outcomes []delivery.Outcome) iter.Seq[chunk] {
	return func(yield func(chunk) bool) {
		chunks := make(chan chunk)
		defer l.forgetMapped()
		defer func() {
			for range chunks { // what is left, or the mapping would wait for ever
			}
		}()
		go func() {
			defer close(chunks)
			// The spool takes care of a panic, but not of one in a goroutine.
			defer func() {
				if p := recover(); p != nil {
					chunks <- chunk{panicked: p}
				}
			}()
			for n, size := 0, firstChunk; len(batch) > 0; n, size = n+1, min(2*size, largestChunk) {
				some := min(size, len(batch))
				// When a chunk is taken the one before it is done, and its memory free.
				l.mapper.memory = &l.memories[n%len(l.memories)]
				l.mapper.memory.reset()
				items := l.mapper.items(batch[:some], outcomes[:some])
				chunks <- chunk{items: items, parts: l.partsOf(items)}
				batch, outcomes = batch[some:], outcomes[some:]
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

// forgetMapped lets go of what was mapped, or the bodies of the events would be
// kept.
func (l *Loader) forgetMapped() {
	for i := range l.memories {
		l.memories[i].reset()
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
			it := &m.memory.items.take(1)[0]
			*it = item{event: e, record: record, outcome: &outcomes[i]}
			items = append(items, it)
		}
	}
	return items
}
