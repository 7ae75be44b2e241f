package spool

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

func again(events ...event.Event) []Again {
	list := make([]Again, len(events))
	for i, e := range events {
		list[i].Event = e
	}
	return list
}

func replay(t *testing.T, s *Spool, events ...event.Event) (queued int) {
	t.Helper()
	n, err := s.Replay(t.Context(), "vero", 0, again(events...)...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What is sent again survives a restart, keeps its order, and is queued once.
func TestReplaysAreDurableAndQueuedOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "vero")
	events := append(crowd("p", 600), calls("ann", 5)...) // more than a record
	if n := replay(t, s, events...); n != len(events) {
		t.Errorf("queued %d of %d", n, len(events))
	}
	replay(t, s, events...)
	if n, err := s.Queued(t.Context(), "vero"); n != len(events) || err != nil {
		t.Errorf("%d are queued, %v; want each of %d once", n, err, len(events))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, "vero")
	r := reportsOf(t, s)
	f := &failures{left: map[string]int{"ann-001": 2}}
	d := newDestination("vero", f.verdict)
	drainTo(t, s, d, DrainOptions{ReplayRate: 10_000})
	got := d.await(t, len(events))
	if diff := cmp.Diff(ids(calls("ann", 5)), of("ann", got)); diff != "" {
		t.Errorf("ann's order (-want +got):\n%s", diff)
	}
	if slices.Sort(got); len(slices.Compact(got)) != len(events) {
		t.Errorf("%d of %d events were sent again", len(got), len(events))
	}
	r.await(t, "ann-004", delivery.StatusDelivered)
	await(t, "nothing is queued any more", func() bool { // progress is written after the reports
		n, err := s.Queued(t.Context(), "vero")
		return n == 0 && err == nil
	})
	if n := replay(t, s, call("ann", 0)); n != 1 {
		t.Errorf("queued %d after it was sent, want 1", n)
	}
	d.await(t, 1+len(events))
}

// While new events come in, hardly anything is sent again: between two looks at
// what has come in there may be time for one.
func TestLiveTrafficGoesBeforeReplays(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	replay(t, s, crowd("old", 50)...)
	for n := range 20 {
		appendAll(t, s, call("ann", n))
	}
	d := newDestination("vero", deliverAll)
	drainTo(t, s, d, DrainOptions{MaxEvents: 1})
	got := d.await(t, 70)
	if last := slices.Index(got, "ann-019"); last > 24 {
		t.Errorf("the last of 20 new events was number %d", last+1)
	}
	if diff := cmp.Diff(ids(calls("ann", 20)), of("ann", got)); diff != "" {
		t.Errorf("ann's order (-want +got):\n%s", diff)
	}
}

// A destination that is down for what comes in is not asked by a replay, and one
// that a replay alone fails at goes on with what comes in.
func TestPausesOfReplays(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	var mu sync.Mutex
	down, asked := true, []string(nil)
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, e.ID)
		if down || strings.HasPrefix(e.UserID(), "poison") {
			return delivery.Unavailable(delivery.ReasonRefused, errors.New("403"), 0)
		}
		return delivery.Delivered()
	})
	appendAll(t, s, call("ann", 0))
	drainTo(t, s, d, DrainOptions{})
	r.await(t, "ann-000", delivery.StatusWaiting)
	replay(t, s, call("poison", 0))
	for range 5 {
		<-d.changed
	}
	mu.Lock()
	if slices.Contains(asked, "poison-000") {
		t.Error("the destination was asked by a replay while it was down")
	}
	down = false
	mu.Unlock()
	d.await(t, 1)
	mu.Lock()
	poisoned := func() bool { mu.Lock(); defer mu.Unlock(); return slices.Contains(asked, "poison-000") }
	mu.Unlock()
	for timeout := time.After(deadline); !poisoned(); {
		select {
		case <-d.changed:
		case <-timeout:
			t.Fatal("nothing was sent again")
		}
	}
	for n := 1; n <= 3; n++ {
		appendAll(t, s, call("ann", n))
		d.await(t, n+1)
	}
}

// Nobody is told that an event waits which is not wanted any more.
func TestReplaysThatAreNotWantedAreSkipped(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	erased, unrouted := call("erased", 0), call("unrouted", 0)
	replay(t, s, erased, unrouted)
	drainTo(t, s, newDestination("vero", deliverAll), DrainOptions{Accept: func(e event.Event) (bool, delivery.Reason) {
		if e.UserID() == "erased" {
			return false, delivery.ReasonSuppressed
		}
		return false, ""
	}})
	if report := r.await(t, erased.ID, delivery.StatusSkipped); report.Reason != delivery.ReasonSuppressed || report.UserID != "" {
		t.Errorf("report %+v", report)
	}
	if report := r.await(t, unrouted.ID, delivery.StatusSkipped); report.Reason != delivery.ReasonNotRouted {
		t.Errorf("report %+v", report)
	}
}

func TestReplaysKeepTheirRate(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	if _, err := s.Replay(t.Context(), "vero", 100, again(crowd("p", 160)...)...); err != nil {
		t.Fatal(err)
	}
	d := newDestination("vero", deliverAll)
	started := time.Now()
	drainTo(t, s, d, DrainOptions{ReplayRate: 10_000})
	d.await(t, 160)
	// A second's worth goes at once.
	if took := time.Since(started); took < 500*time.Millisecond {
		t.Errorf("160 events took %s at 100 a second", took)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if largest := slices.Max(d.batches); largest > 100 {
		t.Errorf("a batch had %d events, want no more than a second's worth", largest)
	}
}

// A replay that finds no room says so and queues what there is room for.
func TestReplaysThatFindNoRoom(t *testing.T) {
	t.Parallel()
	s := small(t, t.TempDir())
	var events []event.Event
	for n := range 40 {
		events = append(events, incompressible(n, 1_000_000))
	}
	n, err := s.Replay(t.Context(), "vero", 0, again(events...)...)
	if !errors.Is(err, ErrFull) || n == 0 || n == len(events) {
		t.Fatalf("queued %d of 40 MB, %v; want some, and ErrFull", n, err)
	}
	d := newDestination("vero", deliverAll)
	drainTo(t, s, d, DrainOptions{})
	d.await(t, n)
	for timeout := time.After(deadline); ; {
		more, err := s.Replay(t.Context(), "vero", 0, again(events[n:]...)...)
		if n += more; err == nil {
			break
		}
		select {
		case <-timeout:
			t.Fatalf("queued %d: %v", n, err)
		case <-d.changed:
		case <-time.After(10 * time.Millisecond):
		}
	}
	d.await(t, len(events))
}
