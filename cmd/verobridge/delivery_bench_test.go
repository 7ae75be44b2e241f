package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// benchWorld is the whole program with a Vero that does this to every call.
func benchWorld(b *testing.B, fault mockvero.Fault, calls int) *world {
	b.Helper()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken, Keep: calls + 100})
	fault.Count = -1
	vero.Fault(fault)
	s := testSettings(b, serve(b, vero))
	bridge := startTestBridge(b, s, slog.New(slog.DiscardHandler))
	w := &world{bridge: bridge, db: connect(b, s.Warehouse.URL), vero: vero, url: "http://" + bridge.publicAddr}
	w.await(b, "the tables", "select to_regclass('app.tracks') is not null")
	return w
}

// postEvents posts size events in one batch, of different people.
func (w *world) postEvents(b *testing.B, first, size int) {
	calls := make([]map[string]any, size)
	for i := range calls {
		calls[i] = map[string]any{
			"type": "track", "event": "Order Completed", "messageId": fmt.Sprintf("bench-%d", first+i),
			"userId": fmt.Sprintf("user-%d", (first+i)%5000), "properties": map[string]any{"order_id": first + i, "total": 129.9, "plan": "pro"},
		}
	}
	body, err := json.Marshal(map[string]any{"batch": calls})
	if err != nil {
		b.Error(err)
		return
	}
	w.post(b, "/v1/batch", appKey, body)
}

// BenchmarkVeroDeliveries measures how many events a second reach a Vero that
// answers in 50 ms, with 64 calls at once: at most 1,280. The events have come in
// while Vero took none, so that nothing else is going on but the reports on them.
func BenchmarkVeroDeliveries(b *testing.B) {
	const answer, events, batch, concurrency = 50 * time.Millisecond, 20_000, 100, 64
	for b.Loop() {
		w := benchWorld(b, mockvero.Fault{Status: http.StatusServiceUnavailable}, events)
		for first := 0; first < events; first += batch {
			w.postEvents(b, first, batch)
		}
		w.await(b, "the rows", "select count(*) = $1 from app.order_completed", events)
		w.vero.ClearFaults()
		w.vero.Fault(mockvero.Fault{Delay: answer, Count: -1})
		awaitCondition(b, "the calls", func() bool { return w.vero.Totals().Events == events })

		var calls []mockvero.Call
		for _, call := range w.vero.Calls() {
			if call.Status == http.StatusOK {
				calls = append(calls, call)
			}
		}
		took := calls[len(calls)-1].At.Sub(calls[1].At) + answer // the first one is the probe
		perSecond, most := float64(len(calls)-1)/took.Seconds(), concurrency/answer.Seconds()
		b.Logf("%d events to a Vero that answers in %s, %d at once: %.0f a second, %.0f %% of the %.0f that are possible",
			events, answer, concurrency, perSecond, 100*perSecond/most, most)
		b.ReportMetric(perSecond, "deliveries/s")
		b.ReportMetric(100*perSecond/most, "%-of-possible")
	}
}

// BenchmarkVeroLatency sends 500 events a second and measures the time from the
// beginning of each request to Vero's call.
func BenchmarkVeroLatency(b *testing.B) {
	const answer, perSecond, batch, seconds = 10 * time.Millisecond, 500, 5, 10
	for b.Loop() {
		w := benchWorld(b, mockvero.Fault{Delay: answer}, perSecond*seconds)
		sent := make([]time.Time, perSecond*seconds/batch)
		var senders sync.WaitGroup
		ticker := time.NewTicker(time.Second * batch / perSecond)
		for n := range sent {
			<-ticker.C
			senders.Go(func() {
				sent[n] = time.Now()
				w.postEvents(b, n*batch, batch)
			})
		}
		ticker.Stop()
		senders.Wait()
		awaitCondition(b, "the calls", func() bool { return w.vero.Totals().Calls >= perSecond*seconds })
		var all []time.Duration
		for _, call := range w.vero.Calls() {
			var body struct {
				Data struct {
					Order int `json:"order_id"`
				}
			}
			if err := json.Unmarshal(call.Body, &body); err != nil {
				b.Fatal(err)
			}
			all = append(all, call.At.Sub(sent[body.Data.Order/batch]))
		}
		slices.Sort(all)
		p50, p99, most := all[len(all)/2], all[len(all)*99/100], all[len(all)-1]
		b.Logf("%d events a second for %d s, Vero answers in %s: from the request to the call p50 %s, p99 %s, max %s",
			perSecond, seconds, answer, p50.Round(time.Millisecond), p99.Round(time.Millisecond), most.Round(time.Millisecond))
		b.ReportMetric(float64(p50.Milliseconds()), "p50-ms")
		b.ReportMetric(float64(p99.Milliseconds()), "p99-ms")
		b.ReportMetric(float64(most.Milliseconds()), "max-ms")
	}
}
