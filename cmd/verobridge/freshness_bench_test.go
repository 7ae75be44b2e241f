package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// BenchmarkFreshness sends 2,000 events a second to the whole program, as
// batches of 20, and measures the time from the answer 200 until each row can
// be selected, and until all reports on them are written.
func BenchmarkFreshness(b *testing.B) {
	for _, c := range []struct {
		name         string
		destinations []string
		reports      int // of each event
	}{
		{"to the warehouse", nil, 1},
		{"to the warehouse and Vero", []string{"vero"}, 2},
	} {
		b.Run(c.name, func(b *testing.B) {
			vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
			s := testSettings(b, serve(b, vero))
			s.Sources[0].Destinations = c.destinations
			bridge := startTestBridge(b, s, slog.New(slog.DiscardHandler))
			w := &world{bridge: bridge, db: connect(b, s.Warehouse.URL), vero: vero, url: "http://" + bridge.publicAddr}
			w.await(b, "the tables", "select to_regclass('app.tracks') is not null")
			if _, err := w.db.Exec(b.Context(), "create index on app.tracks (uuid_ts)"); err != nil { // for the watcher
				b.Fatal(err)
			}
			const perSecond, size, seconds = 2000, 20, 5
			var all []time.Duration
			var reporting time.Duration
			for run := 0; b.Loop(); run++ {
				prefix := fmt.Sprintf("fresh-%d-", run)
				answered := w.sendSteadily(b, prefix, perSecond, size, seconds)
				end := time.Now()
				all = append(all, answered.latencies(b, w, perSecond*seconds)...)
				w.await(b, "the last report", "select count(*) = $1 from verobridge.deliveries where message_id like $2",
					c.reports*perSecond*seconds, prefix+"%")
				reporting = max(reporting, time.Since(end))
			}
			slices.Sort(all)
			b.Logf("from the answer 200 to the row, at %d events/s: p50 %d ms, p99 %d ms", perSecond,
				all[len(all)/2].Milliseconds(), all[len(all)*99/100].Milliseconds())
			b.ReportMetric(float64(all[len(all)/2].Milliseconds()), "p50-ms")
			b.ReportMetric(float64(all[len(all)*99/100].Milliseconds()), "p99-ms")
			b.ReportMetric(float64(all[len(all)-1].Milliseconds()), "max-ms")
			b.ReportMetric(float64(reporting.Milliseconds()), "reports-behind-ms")
		})
	}
}

// steady is what became of events that were sent at a steady pace.
type steady struct {
	mu       sync.Mutex
	answered map[string]time.Time
	seen     map[string]time.Time
	reader   sync.WaitGroup
}

// sendSteadily sends events at a pace that does not wait for answers, and
// watches the table meanwhile.
func (w *world) sendSteadily(b *testing.B, prefix string, perSecond, size, seconds int) *steady {
	b.Helper()
	s := &steady{answered: make(map[string]time.Time), seen: make(map[string]time.Time)}
	total := perSecond * seconds
	db := connect(b, w.bridge.settings.Warehouse.URL)
	s.reader.Go(func() { s.watch(b, db, prefix, total) })
	var senders sync.WaitGroup
	ticker := time.NewTicker(time.Second * time.Duration(size) / time.Duration(perSecond))
	defer ticker.Stop()
	for n := range total / size {
		<-ticker.C
		senders.Go(func() {
			var calls []map[string]any
			for i := range size {
				calls = append(calls, map[string]any{
					"type": "track", "event": "Fresh Sent", "messageId": fmt.Sprintf("%s%06d", prefix, n*size+i),
					"userId": fmt.Sprintf("user-%d", (n*size+i)%5000), "properties": map[string]any{"n": n, "price": 12.5, "plan": "pro"},
					"context": map[string]any{"ip": "203.0.113.7", "library": map[string]any{"name": "bench", "version": "1"}},
				})
			}
			body, err := json.Marshal(map[string]any{"batch": calls})
			if err != nil {
				b.Error(err)
				return
			}
			w.post(b, "/v1/batch", appKey, body)
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, call := range calls {
				s.answered[call["messageId"].(string)] = time.Now()
			}
		})
	}
	senders.Wait()
	return s
}

// watch notes when each row could be selected. uuid_ts grows with commits, so
// that it reads on from the latest it knows.
func (s *steady) watch(b *testing.B, db *pgx.Conn, prefix string, total int) {
	latest := time.Time{}
	for started := time.Now(); len(s.seen) < total && time.Since(started) < deadline; {
		rows, err := db.Query(b.Context(), "select id, uuid_ts from app.tracks where uuid_ts > $1 and id like $2", latest, prefix+"%")
		if err != nil {
			b.Error(err)
			return
		}
		now := time.Now()
		var id string
		var stamp time.Time
		if _, err := pgx.ForEachRow(rows, []any{&id, &stamp}, func() error {
			s.seen[id] = now
			if stamp.After(latest) {
				latest = stamp
			}
			return nil
		}); err != nil {
			b.Error(err)
			return
		}
		pause(b, 5*time.Millisecond)
	}
}

// latencies waits for the last row and returns how long each took.
func (s *steady) latencies(b *testing.B, w *world, total int) []time.Duration {
	b.Helper()
	s.reader.Wait()
	if len(s.seen) != total {
		b.Fatalf("%d rows of %d", len(s.seen), total)
	}
	all := make([]time.Duration, 0, total)
	for id, at := range s.answered {
		all = append(all, max(0, s.seen[id].Sub(at)))
	}
	return all
}
