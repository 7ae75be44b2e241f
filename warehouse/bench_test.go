package warehouse

import (
	"fmt"
	"testing"

	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/pgtest"
)

// benchProperties are those of a usual event.
const benchProperties = `{"order_id":"o-%d","total":12.50,"currency":"EUR","coupon":null,"items":[{"sku":"a","price":1.10}],
	"shipping":{"address":{"city":"Berlin","postalCode":"10115"}},"placed":"2026-06-06T10:00:00Z","gift":false}`

func benchBatch(b *testing.B, batch, size int) []event.Event {
	b.Helper()
	events := make([]event.Event, size)
	for i := range events {
		events[i] = track(b, fmt.Sprintf("m%d-%d", batch, i), "Order Completed", fmt.Sprintf(benchProperties, i))
	}
	return events
}

// BenchmarkRecord measures the mapping alone, one event each time.
func BenchmarkRecord(b *testing.B) {
	e := benchBatch(b, 0, 1)[0]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := recordOf(e); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDeliver loads batches; each event is two rows.
func BenchmarkDeliver(b *testing.B) {
	for _, size := range []int{1, 100, 2000} {
		b.Run(fmt.Sprintf("batch of %d", size), func(b *testing.B) {
			l, err := Open(b.Context(), Options{URL: pgtest.Database(b), Sources: []Source{{Name: "app"}}})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(l.Close)
			if err := l.Prepare(b.Context()); err != nil {
				b.Fatal(err)
			}
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				events := benchBatch(b, i, size)
				b.StartTimer()
				for _, o := range l.Deliver(b.Context(), events) {
					if o.Err() != nil {
						b.Fatal(o.Err())
					}
				}
			}
			b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
