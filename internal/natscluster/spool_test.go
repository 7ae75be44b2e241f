package natscluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/leaktest"
	"github.com/verobridge/verobridge/internal/natscluster"
	"github.com/verobridge/verobridge/internal/spool"
)

const nodeArgument = "nats-node"

// TestMain lets the tests' own binary be a node.
func TestMain(m *testing.M) {
	if len(os.Args) != 3 || os.Args[1] != nodeArgument {
		leaktest.Main(m)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := natscluster.Serve(ctx, os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func start(t testing.TB) (*natscluster.Cluster, *spool.Spool) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c, err := natscluster.Start(t.Context(), natscluster.Options{Command: []string{binary, nodeArgument}, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := spool.Open(t.Context(), spool.Options{URL: c.URL(), MaxBytes: 1 << 30, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, s
}

func some(client, from, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		id := fmt.Sprintf("%d-%d", client, from+i)
		events[i] = event.Event{
			ID: id, Type: event.Track, Source: "app", ReceivedAt: time.Now(),
			Body: fmt.Appendf(nil, `{"type":"track","messageId":%q,"userId":"u%d","event":"Order Completed","properties":{"note":"%0900d"}}`, id, i, from+i),
		}
	}
	return events
}

// Whichever node ends or is cut off, what the others hold goes on growing, and
// nothing of it is gone.
func TestAClusterBearsTheLossOfANode(t *testing.T) {
	t.Parallel()
	c, s := start(t)
	taken := make(map[string]bool)
	n := 0
	take := func() {
		t.Helper()
		events := some(0, n, 10)
		n += len(events)
		for since := time.Now(); ; {
			err := s.Append(t.Context(), events...)
			if err == nil {
				break
			}
			if time.Since(since) > time.Minute {
				t.Fatalf("nothing is taken: %v", err)
			}
		}
		for _, e := range events {
			taken[e.ID] = true
		}
	}
	for i := range c.Len() {
		take()
		if i == 0 {
			c.Cut(i)
			take()
			c.Heal(i)
		} else {
			c.KillNode(i)
			take()
			if err := c.StartNode(i); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.AwaitWhole(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	take()
	events, err := s.Latest(t.Context(), 10*n, func(event.Event) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		delete(taken, e.ID)
	}
	if len(taken) > 0 {
		t.Errorf("%d of %d events are gone", len(taken), n)
	}
}

// BenchmarkAppend appends to three nodes, each of which syncs each record.
func BenchmarkAppend(b *testing.B) {
	for _, clients := range []int{2, 16, 64} {
		for _, size := range []int{1, 100} {
			b.Run(fmt.Sprintf("clients=%d/size=%d", clients, size), func(b *testing.B) {
				_, s := start(b)
				var next atomic.Int64
				var running sync.WaitGroup
				b.ResetTimer()
				for client := range clients {
					running.Go(func() {
						for next.Add(1) <= int64(b.N) {
							if err := s.Append(b.Context(), some(client, int(next.Load()), size)...); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				running.Wait()
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}
