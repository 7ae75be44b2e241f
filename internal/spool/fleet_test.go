package spool

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// bridge is one of several programs at the same server.
type bridge struct {
	*Spool
	stop func()
}

// part is a bridge's side of a destination. It counts what goes by there.
type part struct {
	*destination
	delivered, started atomic.Int32
	before             func([]event.Event) // each delivery
}

func (p *part) Start() { p.started.Add(1) }

func (p *part) Deliver(ctx context.Context, batch []event.Event) []delivery.Outcome {
	if p.before != nil {
		p.before(batch)
	}
	p.delivered.Add(int32(len(batch)))
	return p.destination.Deliver(ctx, batch)
}

func openBridge(t *testing.T, url string, lease time.Duration, parts ...*part) *bridge {
	t.Helper()
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	s, err := Open(t.Context(), Options{
		URL: url, Replicas: 1, Destinations: names, MaxBytes: 1 << 30, Lease: lease,
		Retry:  Backoff{Min: 10 * time.Millisecond, Max: 20 * time.Millisecond},
		Probe:  Backoff{Min: 10 * time.Millisecond, Max: 20 * time.Millisecond},
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bridge{Spool: s}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, len(parts)+1)
	for _, p := range parts {
		go func() { done <- s.Drain(ctx, p, DrainOptions{}) }()
	}
	go func() {
		done <- s.DrainReports(ctx, func(context.Context, []delivery.Report) error { return nil })
	}()
	stopped := false
	b.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range len(parts) + 1 {
			if err := <-done; err != nil {
				t.Errorf("drain: %v", err)
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	t.Cleanup(b.stop)
	return b
}

// await waits until something is so.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for since := time.Now(); !is(); sleep(t.Context(), 5*time.Millisecond) {
		if time.Since(since) > deadline {
			t.Fatalf("it does not come to be that %s", what)
		}
	}
}

func (f *fleet) owns() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.owned
}

const testLease = 1200 * time.Millisecond

// Bridges divide the readers among themselves, and when one comes or goes nothing
// is lost, doubled or out of order.
func TestBridgesShareTheReaders(t *testing.T) {
	t.Parallel()
	url := externalServer(t)
	names := []string{"one", "two", "three"}
	var shared []*destination
	for _, name := range names {
		shared = append(shared, newDestination(name, deliverAll))
	}
	parts := func() (parts []*part) {
		for _, d := range shared {
			parts = append(parts, &part{destination: d})
		}
		return parts
	}
	events := calls("ann", 60)
	a := openBridge(t, url, testLease, parts()...)
	await(t, "the only bridge owns all", func() bool { return a.fleet.owns() == len(names)+1 })
	appendAll(t, a.Spool, events[:20]...)

	partsOfB := parts()
	b := openBridge(t, url, testLease, partsOfB...)
	await(t, "each owns half", func() bool { return a.fleet.owns() == 2 && b.fleet.owns() == 2 })
	for i, e := range events[20:40] {
		appendAll(t, []*Spool{a.Spool, b.Spool}[i%2], e)
	}
	for _, d := range shared {
		d.await(t, 40)
	}
	took := 0
	for _, p := range partsOfB {
		if p.delivered.Load() > 0 {
			took++
		}
		if owner := p.started.Load() > 0; owner != (p.delivered.Load() > 0) {
			t.Errorf("%s: taken over %t, delivered %d", p.name, owner, p.delivered.Load())
		}
	}
	if took == 0 {
		t.Error("the second bridge delivered nothing")
	}
	a.stop()
	await(t, "the one that is left owns all", func() bool { return b.fleet.owns() == len(names)+1 })
	for _, e := range events[40:] {
		appendAll(t, b.Spool, e)
	}
	for _, d := range shared {
		if diff := cmp.Diff(ids(events), d.await(t, len(events))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", d.name, diff)
		}
	}
}

// A bridge that falls silent stops delivering before another one begins, and the
// other goes on where it was, in order.
func TestASilentBridgeIsSucceeded(t *testing.T) {
	t.Parallel()
	url := externalServer(t)
	shared := newDestination("vero", deliverAll)
	events := calls("ann", 30)
	first, second := &part{destination: shared}, &part{destination: shared}
	a := openBridge(t, url, testLease, first)
	await(t, "the first bridge owns all", func() bool { return a.fleet.owns() == 2 })
	appendAll(t, a.Spool, events[:10]...)
	shared.await(t, 10)
	b := openBridge(t, url, testLease, second)
	appendAll(t, b.Spool, events[10:20]...)
	shared.await(t, 20)
	a.conn.Close() // without a word
	a.door.Close()
	await(t, "the second bridge owns all", func() bool { return b.fleet.owns() == 2 })
	if n := a.fleet.owns(); n != 0 {
		t.Errorf("the silent bridge still owns %d when another does", n)
	}
	appendAll(t, b.Spool, events[20:]...)
	shared.awaitID(t, events[29].ID)
	var got []string
	for _, id := range shared.ids() {
		if !slices.Contains(got, id) { // what could not be written down is done again
			got = append(got, id)
		}
	}
	if diff := cmp.Diff(ids(events), got); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	if err := a.Ready(); err == nil {
		t.Error("a bridge without a connection says that it takes events")
	}
}

// What a bridge writes that was stopped in the middle of a delivery, and goes on
// after another has taken over, is refused: no progress that goes back, no event
// that waits although it is done, no letter.
func TestAFormerOwnerIsRefused(t *testing.T) {
	t.Parallel()
	url := externalServer(t)
	delivering, goOn := make(chan struct{}), make(chan struct{})
	stalled := &part{destination: newDestination("vero", func(e event.Event) delivery.Outcome {
		switch e.ID {
		case "ann-000":
			return delivery.Retry(delivery.ReasonThrottled, errForgotten, 0)
		case "bob-000":
			return delivery.Dead(delivery.ReasonBadRequest, errForgotten)
		default:
			return delivery.Delivered()
		}
	})}
	var once atomic.Bool
	stalled.before = func([]event.Event) {
		if once.CompareAndSwap(false, true) {
			close(delivering)
			<-goOn
		}
	}
	a := openBridge(t, url, time.Minute, stalled)
	appendAll(t, a.Spool, call("ann", 0), call("bob", 0), call("cid", 0))
	<-delivering

	other, err := Open(t.Context(), Options{
		URL: url, Replicas: 1, Destinations: []string{"vero"}, MaxBytes: 1 << 30, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	})
	// As it is when the lease of the first has run out while it was stopped.
	now := time.Now()
	l := &lease{fleet: other.fleet, reader: "vero", lost: func(error) {}}
	l.renewed.Store(&now)
	c, err := other.claim(t.Context(), l, "vero")
	if err != nil {
		t.Fatal(err)
	}
	before, err := other.readProgress(t.Context(), "vero")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.write(t.Context(), func(ctx context.Context) error {
		return other.saveProgress(ctx, "vero", before, c.on(cursorsStream)...)
	}); err != nil {
		t.Errorf("the new owner is refused: %v", err)
	}
	close(goOn)
	await(t, "the former owner begins anew", func() bool { return stalled.started.Load() == 2 })
	// From here on it has claimed in its turn, and what it did before is refused for
	// good: everything is delivered again, once.
	stalled.await(t, 2)
	await(t, "all is settled", func() bool {
		p, err := other.readProgress(t.Context(), "vero")
		return err == nil && p.Next == before.Next+1
	})
	if letters := deadLetters(t, other, "vero"); len(letters) != 1 {
		t.Errorf("%d dead letters, want the one of the owner", len(letters))
	}
}
