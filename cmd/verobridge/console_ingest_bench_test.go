package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/mockvero"
)

const (
	// lookers is how many people look at the console while events come in, each at
	// another page every lookEvery; watchers have the page Live open.
	lookers   = 4
	watchers  = 4
	lookEvery = 2 * time.Second
	// lookPosts is how many batches of 100 events make up a turn.
	lookPosts = 300
)

// BenchmarkIngestWithConsole says how many events a second are accepted while
// nobody looks, and while people look at the console with many events in the
// tables. They take turns, so that a busy machine disturbs both.
func BenchmarkIngestWithConsole(b *testing.B) {
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(b, serve(b, vero))
	s.Sources[0].Destinations = nil // the mock would take a core for itself
	bridge := startSeededBridge(b, s)
	w := &world{bridge: bridge, db: connect(b, s.Warehouse.URL), vero: vero, url: "http://" + bridge.publicAddr}
	w.await(b, "the tables", "select to_regclass('email_analytics.funnel') is not null")
	seedEvents(b, w.db, benchEvents(b))
	var alone, looked turn
	for n := 0; b.Loop(); n++ {
		for _, looking := range []bool{n%2 == 0, n%2 == 1} { // neither is always the first
			if !looking {
				alone.add(w.postBatches(b))
				continue
			}
			stop := w.look(b)
			looked.add(w.postBatches(b))
			stop()
		}
	}
	events := float64(b.N * lookPosts * 100)
	b.ReportMetric(events/alone.took.Seconds(), "alone-events/s")
	b.ReportMetric(events/looked.took.Seconds(), "looked-at-events/s")
	b.ReportMetric(100*alone.took.Seconds()/looked.took.Seconds(), "%-of-alone")
	// What others do on the machine changes the rates, and this hardly.
	b.ReportMetric(100*alone.processor.Seconds()/looked.processor.Seconds(), "%-of-alone-by-cpu")
}

// turn is what it took to post some batches: the time, and that of the processors
// for the bridge and its clients. Postgres is another process.
type turn struct{ took, processor time.Duration }

func (t *turn) add(more turn) {
	t.took += more.took
	t.processor += more.processor
}

// processorTime is what this process has used of the processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// catchUp waits until what was posted is loaded, so that no turn pays for another.
func (w *world) catchUp(b *testing.B) {
	b.Helper()
	for started := time.Now(); ; pause(b, 250*time.Millisecond) { // to ask costs time as well
		standings, err := w.bridge.spool.Standings(b.Context())
		if err == nil && !slices.ContainsFunc(standings, func(s delivery.Standing) bool { return s.Backlog > 0 }) {
			return
		}
		if time.Since(started) > 2*deadline {
			b.Fatalf("the backlog was not loaded in %s", 2*deadline)
		}
	}
}

// postBatches posts batches from four clients, waits until they are loaded, and
// returns what that took.
func (w *world) postBatches(b *testing.B) turn {
	b.Helper()
	const clients = 4
	usualCall, err := os.ReadFile("../../warehouse/testdata/usual_call.txt")
	if err != nil {
		b.Fatal(err)
	}
	bodies := make([][]byte, lookPosts)
	for i := range bodies {
		var batch bytes.Buffer
		for n := range 100 {
			separator := ","
			if n == 0 {
				separator = `{"batch":[`
			}
			batch.WriteString(separator)
			fmt.Fprintf(&batch, string(usualCall), rand.Text(), n, n)
		}
		batch.WriteString("]}")
		bodies[i] = batch.Bytes()
	}
	used, started := processorTime(b), time.Now()
	var posting sync.WaitGroup
	for c := range clients {
		posting.Go(func() {
			for i := c; i < len(bodies); i += clients {
				w.post(b, "/v1/batch", appKey, bodies[i])
			}
		})
	}
	posting.Wait()
	took := time.Since(started)
	w.catchUp(b)
	return turn{took, processorTime(b) - used}
}

// look looks at the console until it is stopped.
func (w *world) look(b *testing.B) (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	read := func(path string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.bridge.adminAddr+path, nil)
		if err != nil {
			b.Error(err)
			return
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return // it is stopped
		}
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, answer.Body) // until it is stopped
	}
	var looking sync.WaitGroup
	for range watchers {
		looking.Go(func() { read("/live/stream") })
	}
	paths := []string{"/", "/live", "/deliveries?status=dead", "/emails", "/tables", "/setup", "/deliveries?person=user-77"}
	for n := range lookers {
		looking.Go(func() {
			for ticker, i := time.NewTicker(lookEvery), n; ; i++ {
				read(paths[i%len(paths)])
				select {
				case <-ctx.Done():
					ticker.Stop()
					return
				case <-ticker.C:
				}
			}
		})
	}
	return func() {
		cancel()
		looking.Wait()
	}
}
