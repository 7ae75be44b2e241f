package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/leaktest"
	"github.com/verobridge/verobridge/internal/spool"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func call(user string, n int) event.Event {
	id := fmt.Sprintf("%s-%03d", user, n)
	return event.Event{
		ID: id, Type: event.Track, Source: "app", ReceivedAt: time.Unix(1_700_000_000, 0).UTC(),
		Body: fmt.Appendf(nil, `{"messageId":%q,"userId":%q,"event":"Order Completed"}`, id, user),
	}
}

func ids(events []event.Event) []string {
	var ids []string
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

// all takes every event for delivered.
type all struct{}

func (all) Name() string { return "vero" }

func (all) Deliver(_ context.Context, batch []event.Event) []delivery.Outcome {
	outcomes := make([]delivery.Outcome, len(batch))
	for i := range outcomes {
		outcomes[i] = delivery.Delivered()
	}
	return outcomes
}

func newFeed(t *testing.T) (*spool.Spool, *Feed) {
	t.Helper()
	s, err := spool.Open(t.Context(), spool.Options{
		Dir: t.TempDir(), Destinations: []string{"vero"}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	f := New(Options{
		Follow: func(ctx context.Context) (Follower, error) { return s.Follow(ctx) },
		Latest: s.Latest,
		Hidden: func(e event.Event) bool { return e.UserID() == "erased" },
	})
	t.Cleanup(func() {
		f.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, f
}

// watcher collects what a Watch hands over.
type watcher struct {
	batches chan Batch
	done    chan error
}

func watch(ctx context.Context, f *Feed, filter Filter, last int) *watcher {
	w := &watcher{make(chan Batch, 100), make(chan error, 1)}
	go func() {
		w.done <- f.Watch(ctx, filter, last, func(b Batch) error {
			w.batches <- b
			return nil
		})
	}()
	return w
}

// A watcher gets the last events, those that come, and what becomes of them; not
// those of others, and not those that must not be shown.
func TestWatch(t *testing.T) {
	t.Parallel()
	s, f := newFeed(t)
	if err := s.Append(t.Context(), call("ann", 1), call("erased", 1), call("ann", 2), call("ann", 3)); err != nil {
		t.Fatal(err)
	}
	w := watch(t.Context(), f, Filter{Source: "app", Event: "order", Person: "ann"}, 2)
	if diff := cmp.Diff([]string{"ann-002", "ann-003"}, ids((<-w.batches).Events)); diff != "" {
		t.Fatalf("the last two (-want +got):\n%s", diff)
	}
	draining, stop := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(draining, all{}, spool.DrainOptions{}) }()
	if err := s.Append(t.Context(), call("bob", 1), call("erased", 2), call("ann", 4)); err != nil {
		t.Fatal(err)
	}
	var events []string
	fates := make(map[string]delivery.Status)
	for len(events) < 1 || fates["ann-004"] == "" {
		select {
		case b := <-w.batches:
			events = append(events, ids(b.Events)...)
			for _, r := range b.Reports {
				fates[r.MessageID] = r.Status
			}
		case <-t.Context().Done():
			t.Fatal("nothing more came")
		}
	}
	if diff := cmp.Diff([]string{"ann-004"}, events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for id, status := range fates {
		if status != delivery.StatusDelivered || id[:3] != "ann" {
			t.Errorf("%s is %s", id, status)
		}
	}
	stop()
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// Nobody is left waiting when the program stops, when he goes away himself, or when
// what is new cannot be read; and then others may come.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	_, f := newFeed(t)
	ctx, leave := context.WithCancel(t.Context())
	w := watch(ctx, f, Filter{}, 0)
	leave()
	if err := <-w.done; !errors.Is(err, context.Canceled) {
		t.Errorf("who went away: %v", err)
	}

	problems := make(chan error, 1)
	mended := New(Options{Latest: f.o.Latest, Follow: func(ctx context.Context) (Follower, error) {
		select {
		case err := <-problems:
			return nil, err
		default:
			return f.o.Follow(ctx)
		}
	}})
	broken := errors.New("broken")
	problems <- broken
	if err := <-watch(t.Context(), mended, Filter{}, 0).done; !errors.Is(err, broken) {
		t.Errorf("who could not be told: %v", err)
	}
	w = watch(t.Context(), mended, Filter{}, 1)
	<-w.batches // it watches
	mended.Close()
	if err := <-w.done; !errors.Is(err, ErrClosed) {
		t.Errorf("who came later: %v", err)
	}

	w = watch(t.Context(), f, Filter{}, 1)
	<-w.batches // it watches
	f.Close()
	if err := <-w.done; !errors.Is(err, ErrClosed) {
		t.Errorf("when the feed closed: %v", err)
	}
	if err := <-watch(t.Context(), f, Filter{}, 0).done; !errors.Is(err, ErrClosed) {
		t.Errorf("after that: %v", err)
	}
}

// There is an end to how many watch.
func TestTooManyWatch(t *testing.T) {
	t.Parallel()
	_, f := newFeed(t)
	for range maxWatchers {
		<-watch(t.Context(), f, Filter{}, 1).batches
	}
	if err := <-watch(t.Context(), f, Filter{}, 0).done; !errors.Is(err, ErrBusy) {
		t.Errorf("one more: %v", err)
	}
}

// Who does not take what is new loses the oldest of it, and is told how much.
func TestMailboxIsBounded(t *testing.T) {
	t.Parallel()
	box := newMailbox(Filter{}, func(event.Event) bool { return false })
	const more = 7
	for n := range boxEvents + more {
		box.put(Batch{Events: []event.Event{call("ann", n), call("ann", n)}})
	}
	for n := range boxReports + more {
		box.put(Batch{Reports: []delivery.Report{{Source: "app", MessageID: "ann-000", Attempts: n}, {Source: "app", MessageID: "other"}, {Source: "web", MessageID: "ann-000"}}})
	}
	box.put(Batch{Missed: 2})
	batch, err := box.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(batch.Events) != boxEvents || batch.Events[0].ID != "ann-007" || batch.Missed != more+2 {
		t.Errorf("%d events from %s on, %d missed", len(batch.Events), batch.Events[0].ID, batch.Missed)
	}
	if len(batch.Reports) != boxReports || batch.Reports[0].Attempts != more {
		t.Errorf("%d reports from attempt %d on", len(batch.Reports), batch.Reports[0].Attempts)
	}
	for n := range 3 * boxShown {
		box.put(Batch{Events: []event.Event{call("bob", n)}})
	}
	if len(box.shown) != boxShown || len(box.recent) != boxShown {
		t.Errorf("%d events are remembered", len(box.shown))
	}
}

// Events of two sources are two, though they have the same messageId.
func TestSourcesShareMessageIDs(t *testing.T) {
	t.Parallel()
	box := newMailbox(Filter{}, func(event.Event) bool { return false })
	first, second := call("ann", 1), call("ann", 1)
	second.Source = "web"
	if fresh := box.introduce([]event.Event{first}); len(fresh) != 1 {
		t.Fatalf("%d events are fresh", len(fresh))
	}
	box.put(Batch{Reports: []delivery.Report{{Source: "web", MessageID: second.ID}}})
	box.put(Batch{Events: []event.Event{first, second}, Reports: []delivery.Report{{Source: "web", MessageID: second.ID}}})
	batch, err := box.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(batch.Events) != 1 || batch.Events[0].Source != "web" || len(batch.Reports) != 1 {
		t.Errorf("%+v", batch)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	e := event.Event{
		ID: "m1", Type: event.Track, Source: "app",
		Body: []byte(`{"userId":"ann","anonymousId":"a1","event":"Order Completed","context":{"traits":{"email":"Ann@example.com"}}}`),
	}
	for f, want := range map[Filter]bool{
		{}:                          true,
		{Source: "app"}:             true,
		{Source: "ap"}:              false,
		{Event: "order comp"}:       true,
		{Event: "track"}:            true,
		{Event: "identify"}:         false,
		{Person: "ann"}:             true,
		{Person: "a1"}:              true,
		{Person: "ann@example.com"}: true,
		{Person: "an"}:              false,
		{MessageID: "m1"}:           true,
		{MessageID: "m2"}:           false,
		{Source: "app", Event: "Order Completed", Person: "bob"}: false,
	} {
		if got := f.Matches(e); got != want {
			t.Errorf("%+v picks it: %t", f, got)
		}
	}
}
