package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// deadline bounds every wait in these tests; none is expected to come near it.
const deadline = 30 * time.Second

// open opens a spool in dir that retries and probes fast, and closes it with
// the test.
func open(t *testing.T, dir string, destinations ...string) *Spool {
	t.Helper()
	s, err := Open(t.Context(), Options{
		Dir:          dir,
		Destinations: destinations,
		Retry:        Backoff{Min: 10 * time.Millisecond, Max: 20 * time.Millisecond},
		Probe:        Backoff{Min: 10 * time.Millisecond, Max: 20 * time.Millisecond},
		Logger:       slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close spool: %v", err)
		}
	})
	return s
}

// call makes an event of a user, with an id that says whose and which it is.
func call(user string, n int) event.Event {
	id := fmt.Sprintf("%s-%03d", user, n)
	return event.Event{
		ID:         id,
		Type:       event.Track,
		Source:     "app",
		ReceivedAt: time.Unix(1_700_000_000, 123).UTC(),
		Body:       fmt.Appendf(nil, `{"type":"track","messageId":%q,"userId":%q,"event":"Tested"}`, id, user),
	}
}

func calls(user string, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = call(user, i)
	}
	return events
}

// destination answers each event with what verdict says, and remembers what it
// delivered. It keeps the order of people as the contract asks.
type destination struct {
	name    string
	verdict func(event.Event) delivery.Outcome

	mu        sync.Mutex
	delivered []string
	batches   []int
	changed   chan struct{}
}

func newDestination(name string, verdict func(event.Event) delivery.Outcome) *destination {
	return &destination{name: name, verdict: verdict, changed: make(chan struct{}, 1)}
}

func (d *destination) Name() string { return d.name }

func (d *destination) Deliver(ctx context.Context, batch []event.Event) []delivery.Outcome {
	outcomes := make([]delivery.Outcome, len(batch))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.batches = append(d.batches, len(batch))
	for _, chain := range delivery.Chains(batch) {
		behind := false
		for _, i := range chain {
			switch {
			case ctx.Err() != nil:
				outcomes[i] = delivery.Unavailable(delivery.ReasonStopping, ctx.Err(), 0)
			case behind:
				outcomes[i] = delivery.Behind()
			default:
				outcomes[i] = d.verdict(batch[i])
			}
			if outcomes[i].Status() == delivery.StatusDelivered {
				d.delivered = append(d.delivered, batch[i].ID)
			}
			behind = behind || !outcomes[i].Final() && !outcomes[i].Aside()
		}
	}
	select {
	case d.changed <- struct{}{}:
	default:
	}
	return outcomes
}

func (d *destination) ids() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.delivered...)
}

// awaitID waits until the destination has delivered an event.
func (d *destination) awaitID(t *testing.T, id string) {
	t.Helper()
	timeout := time.After(deadline)
	for !slices.Contains(d.ids(), id) {
		select {
		case <-d.changed:
		case <-timeout:
			t.Fatalf("%s was not delivered, but %v", id, d.ids())
		}
	}
}

// await waits until the destination has delivered n events.
func (d *destination) await(t *testing.T, n int) []string {
	t.Helper()
	timeout := time.After(deadline)
	for {
		if ids := d.ids(); len(ids) >= n {
			return ids
		}
		select {
		case <-d.changed:
		case <-timeout:
			t.Fatalf("delivered %d of %d events: %v", len(d.ids()), n, d.ids())
		}
	}
}

func deliverAll(event.Event) delivery.Outcome { return delivery.Delivered() }

// drain runs a drain until the returned stop is called, or the test ends.
func drainTo(t *testing.T, s *Spool, d delivery.Destination, o DrainOptions) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Drain(ctx, d, o) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("drain: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func appendAll(t *testing.T, s *Spool, events ...event.Event) {
	t.Helper()
	if err := s.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
}

func ids(events []event.Event) []string {
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	return ids
}

func TestAppendedEventsReachEachDestinationInOrder(t *testing.T) {
	s := open(t, t.TempDir(), "one", "two")
	events := calls("ann", 50)
	for _, e := range events {
		appendAll(t, s, e)
	}
	for _, name := range []string{"one", "two"} {
		d := newDestination(name, deliverAll)
		drainTo(t, s, d, DrainOptions{})
		if diff := cmp.Diff(ids(events), d.await(t, len(events))); diff != "" {
			t.Errorf("destination %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestEventsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "vero")
	events := calls("ann", 3)
	appendAll(t, s, events...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d := newDestination("vero", deliverAll)
	drainTo(t, open(t, dir, "vero"), d, DrainOptions{})
	if diff := cmp.Diff(ids(events), d.await(t, 3)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

func TestSettledEventsDoNotComeAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "vero")
	appendAll(t, s, calls("ann", 3)...)
	first := newDestination("vero", deliverAll)
	stop := drainTo(t, s, first, DrainOptions{})
	first.await(t, 3)
	stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, dir, "vero")
	later := call("ann", 99)
	appendAll(t, s, later)
	second := newDestination("vero", deliverAll)
	drainTo(t, s, second, DrainOptions{})
	if diff := cmp.Diff([]string{later.ID}, second.await(t, 1)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

// A record that was handed out but not settled when the program died must come
// first after the restart, before newer ones.
func TestUnsettledRecordsComeAgainFirst(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "vero")
	events := calls("ann", 5)
	for _, e := range events[:3] {
		appendAll(t, s, e)
	}
	down := newDestination("vero", func(event.Event) delivery.Outcome {
		return delivery.Unavailable(delivery.ReasonUnreachable, errors.New("connection refused"), 0)
	})
	stop := drainTo(t, s, down, DrainOptions{})
	<-down.changed
	stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, dir, "vero")
	for _, e := range events[3:] {
		appendAll(t, s, e)
	}
	up := newDestination("vero", deliverAll)
	drainTo(t, s, up, DrainOptions{})
	if diff := cmp.Diff(ids(events), up.await(t, 5)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

func TestConcurrentAppendsShareRecords(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	const clients, each = 64, 20
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			for n := range each {
				if err := s.Append(context.Background(), call(fmt.Sprint("user", c), n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	info, err := s.js.Stream(t.Context(), eventsStream)
	if err != nil {
		t.Fatal(err)
	}
	records := info.CachedInfo().State.Msgs
	if records == 0 || records > clients*each/4 {
		t.Errorf("%d events of %d clients took %d records, want far fewer", clients*each, clients, records)
	}
	d := newDestination("vero", deliverAll)
	drainTo(t, s, d, DrainOptions{})
	d.await(t, clients*each)
}

func TestALargeAppendStaysWholeAndOrdered(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	events := calls("ann", 40)
	padding := make([]byte, 100_000)
	for i := range padding {
		padding[i] = 'a' + byte(i*i%23)
	}
	for i := range events {
		events[i].Body = fmt.Appendf(nil, `{"userId":"ann","messageId":%q,"p":%q}`, events[i].ID, padding)
	}
	appendAll(t, s, events...)
	d := newDestination("vero", deliverAll)
	drainTo(t, s, d, DrainOptions{})
	if diff := cmp.Diff(ids(events), d.await(t, len(events))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEventsForOthersArePassedOver(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	mine, other := call("ann", 1), call("bob", 1)
	other.Source = "web"
	appendAll(t, s, other, mine, other)
	d := newDestination("vero", deliverAll)
	drainTo(t, s, d, DrainOptions{Accept: func(e event.Event) (bool, delivery.Reason) { return e.Source == "app", "" }})
	if diff := cmp.Diff([]string{mine.ID}, d.await(t, 1)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A destination that is added later must not mail people about last week.
func TestANewDestinationStartsWithTheNextEvent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "old")
	appendAll(t, s, calls("ann", 3)...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, "old", "new")
	next := call("bob", 1)
	appendAll(t, s, next)
	d := newDestination("new", deliverAll)
	drainTo(t, s, d, DrainOptions{})
	if diff := cmp.Diff([]string{next.ID}, d.await(t, 1)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestADirectoryBelongsToOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir)
	_, err := Open(t.Context(), Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Fatal("a second spool opened the same directory")
	}
	t.Log(err)
}

func TestAppendAfterClose(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), call("ann", 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %v, want ErrClosed", err)
	}
	if err := s.Ready(); !errors.Is(err, ErrClosed) {
		t.Errorf("Ready after Close: %v, want ErrClosed", err)
	}
}
