package warehouse

import (
	"errors"
	"iter"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// chunkSize is how many events are loaded in one transaction. While Postgres
// works on them the next ones are mapped.
const chunkSize = 2500

// chunk is a part of a batch, mapped.
type chunk struct {
	items    []*item
	panicked any // what the mapping panicked with
}

// mapAhead maps a batch chunk by chunk, ahead of who takes them. Events that
// have no rows get their outcomes and are left out.
func mapAhead(shape *shape, batch []event.Event, outcomes []delivery.Outcome) iter.Seq[[]*item] {
	return func(yield func([]*item) bool) {
		chunks := make(chan chunk, len(batch)/chunkSize+2) // room for all, so nobody waits in vain
		go func() {
			defer close(chunks)
			// The spool takes care of a panic, but not of one in a goroutine.
			defer func() {
				if p := recover(); p != nil {
					chunks <- chunk{panicked: p}
				}
			}()
			mapper := newMapper(shape)
			for from := 0; from < len(batch); from += chunkSize {
				to := min(from+chunkSize, len(batch))
				chunks <- chunk{items: mapper.items(batch[from:to], outcomes[from:to])}
			}
		}()
		for c := range chunks {
			if c.panicked != nil {
				panic(c.panicked)
			}
			if !yield(c.items) {
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
