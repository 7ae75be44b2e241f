package warehouse

import (
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/pgtest"
)

// usualCall is a call of a browser as it usually is, with places for its messageId,
// its user and its order.
//
//go:embed testdata/usual_call.txt
var usualCall string

// benchBatch makes events with random ids, as SDKs do, of sources in turn.
func benchBatch(b *testing.B, size int, sources ...string) []event.Event {
	b.Helper()
	events := make([]event.Event, size)
	for i := range events {
		source := "app"
		if len(sources) > 0 {
			source = sources[i%len(sources)]
		}
		events[i] = eventOf(b, source, arrival, fmt.Sprintf(usualCall, rand.Text(), i, i))
	}
	return events
}

// BenchmarkRecord measures the mapping alone, one event each time.
func BenchmarkRecord(b *testing.B) {
	e := benchBatch(b, 1)[0]
	mapper := newMapper(segment)
	b.ReportAllocs()
	for b.Loop() {
		mapper.memory.reset()
		if _, err := mapper.record(e); err != nil {
			b.Fatal(err)
		}
	}
}

// benchLoader is a prepared loader with the source app.
func benchLoader(b *testing.B) *Loader {
	b.Helper()
	return openBench(b, Options{Sources: []Source{{Name: "app"}}})
}

func openBench(b *testing.B, o Options) *Loader {
	b.Helper()
	if o.URL == "" {
		o.URL = pgtest.Database(b)
	}
	l, err := Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(l.Close)
	if err := l.Prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	return l
}

// mustDeliver loads events of which all must get in.
func mustDeliver(b *testing.B, l *Loader, events []event.Event) {
	b.Helper()
	for _, o := range l.Deliver(b.Context(), events) {
		if o.Err() != nil {
			b.Fatal(o.Err())
		}
	}
}

// BenchmarkDeliver loads batches of several sizes; each event is two rows.
func BenchmarkDeliver(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("batch of %d", size), func(b *testing.B) {
			l := benchLoader(b)
			for b.Loop() {
				b.StopTimer()
				events := benchBatch(b, size)
				b.StartTimer()
				mustDeliver(b, l, events)
			}
			b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkConnections loads two sources on one connection and on two.
func BenchmarkConnections(b *testing.B) {
	for _, connections := range []int{1, 2} {
		b.Run(fmt.Sprint(connections), func(b *testing.B) {
			const size = 5000
			l := openBench(b, Options{Connections: connections, Sources: []Source{{Name: "app"}, {Name: "web"}}})
			for b.Loop() {
				b.StopTimer()
				events := benchBatch(b, size, "app", "web")
				b.StartTimer()
				mustDeliver(b, l, events)
			}
			b.ReportMetric(size*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkLoadersOfOneSource loads one source by one loader and by two, which take
// turns (docs/decisions/0045).
func BenchmarkLoadersOfOneSource(b *testing.B) {
	for _, n := range []int{1, 2} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			const size = 5000
			url := pgtest.Database(b)
			loaders := make([]*Loader, n)
			for i := range loaders {
				loaders[i] = openBench(b, Options{URL: url, Sources: []Source{{Name: "app"}}})
			}
			for b.Loop() {
				b.StopTimer()
				events := benchBatch(b, size)
				b.StartTimer()
				var loading sync.WaitGroup
				for i, l := range loaders {
					loading.Go(func() { mustDeliver(b, l, events[i*size/n:(i+1)*size/n]) })
				}
				loading.Wait()
			}
			b.ReportMetric(size*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkWriteReports writes two reports for each event, as many as a bridge
// with one destination beside the warehouse has.
func BenchmarkWriteReports(b *testing.B) {
	l := benchLoader(b)
	for b.Loop() {
		b.StopTimer()
		var reports []delivery.Report
		for _, e := range benchBatch(b, 1000) {
			call := delivery.Call{
				Method: "POST", URL: "https://api.getvero.com/api/v2/events/track", Status: 200, Answer: `{"status":200,"message":"Success."}`, At: arrival,
				Request: json.RawMessage(`{"identity":{"id":"user-1"},"event_name":"Order Completed","data":{"order_id":"o-1","total":12.50,"currency":"EUR"}}`),
			}
			reports = append(reports,
				delivery.ReportOf(e, "warehouse", delivery.Delivered(), 1, arrival),
				delivery.ReportOf(e, "vero", delivery.Delivered(call), 1, arrival))
		}
		b.StartTimer()
		if err := l.WriteReports(b.Context(), reports); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(2000*float64(b.N)/b.Elapsed().Seconds(), "reports/s")
}
