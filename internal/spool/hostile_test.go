package spool

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// crowd makes one event for each of n people.
func crowd(prefix string, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = call(fmt.Sprintf("%s%05d", prefix, i), 0)
	}
	return events
}

func TestBatchesAreBounded(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	for i := range 4 {
		appendAll(t, s, crowd(fmt.Sprint("p", i), 2000)...)
	}
	d := newDestination("vero", deliverAll)
	drainTo(t, s, d, DrainOptions{MaxEvents: 1000})
	d.await(t, 8000)
	if largest := slices.Max(d.batches); largest > 1000 {
		t.Errorf("a batch had %d events, want at most 1000", largest)
	}
}

// However large an event is and whatever is in it, when it is refused it becomes
// a dead letter and the next one gets its turn.
func TestARefusedEventOfAnySizeIsADeadLetter(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	huge := call("mallory", 0)
	huge.Body = fmt.Appendf(nil, `{"userId":"mallory","messageId":%q,"event":"%s","p":%q}`,
		huge.ID, strings.Repeat(`\u0001`, 100_000), strings.Repeat("<", 3_500_000))
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		if e.ID == huge.ID {
			return delivery.Dead(delivery.ReasonTooLong, errors.New(strings.Repeat("long", 100_000)))
		}
		return delivery.Delivered()
	})
	appendAll(t, s, call("ann", 0), huge, call("bob", 0))
	drainTo(t, s, d, DrainOptions{})
	r := reportsOf(t, s)
	r.await(t, huge.ID, delivery.StatusDead)
	if diff := cmp.Diff([]string{"ann-000", "bob-000"}, d.await(t, 2)); diff != "" {
		t.Errorf("the others (-want +got):\n%s", diff)
	}
	if letters := deadLetters(t, s, "vero"); len(letters) != 1 || !bytes.Equal(letters[0].Body, huge.Body) {
		t.Errorf("%d dead letters, want the event byte for byte", len(letters))
	}
}

func TestManyRefusedEventsAreRefusedOnce(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	const n = 20_000
	appendAll(t, s, crowd("p", n)...)
	d := newDestination("vero", func(event.Event) delivery.Outcome {
		return delivery.Dead(delivery.ReasonTooLong, errors.New("too long"))
	})
	last := call("last", 0)
	appendAll(t, s, last)
	drainTo(t, s, d, DrainOptions{})
	reportsOf(t, s).await(t, last.ID, delivery.StatusDead)
	if got := len(deadLetters(t, s, "vero")); got != n+1 {
		t.Errorf("%d dead letters for %d refused events", got, n+1)
	}
}

// An answer that one event alone provokes, such as a firewall's 403 for what is
// in it, must not stop everybody else.
func TestAPausedDestinationIsProbedWithSomebodyElse(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		if e.UserID() == "mallory" {
			return delivery.Unavailable(delivery.ReasonRefused, errors.New("403 from a firewall"), 0)
		}
		return delivery.Delivered()
	})
	appendAll(t, s, call("mallory", 0))
	drainTo(t, s, d, DrainOptions{})
	r.await(t, "mallory-000", delivery.StatusWaiting)
	appendAll(t, s, calls("bob", 5)...)
	if diff := cmp.Diff(ids(calls("bob", 5)), of("bob", d.await(t, 5))); diff != "" {
		t.Errorf("bob's events (-want +got):\n%s", diff)
	}
}

// When everything fails in a passing way the destination is down, and the
// backlog stays where it is instead of moving through the retry lane.
func TestWhenEverythingFailsNothingMoves(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	down := true
	var mu sync.Mutex
	d := newDestination("vero", func(event.Event) delivery.Outcome {
		mu.Lock()
		defer mu.Unlock()
		if down {
			return delivery.Retry(delivery.ReasonServerError, errors.New("500"), 0)
		}
		return delivery.Delivered()
	})
	events := crowd("p", 3000)
	appendAll(t, s, events...)
	drainTo(t, s, d, DrainOptions{})
	for range 12 {
		<-d.changed
	}
	stream, err := s.js.Stream(t.Context(), retryStream)
	if err != nil {
		t.Fatal(err)
	}
	if waiting := stream.CachedInfo().State.Msgs; waiting > 10 {
		t.Errorf("%d records in the retry lane while everything fails", waiting)
	}
	mu.Lock()
	down = false
	mu.Unlock()
	got := d.await(t, len(events))
	slices.Sort(got)
	if diff := cmp.Diff(ids(events), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A destination that throttles in the middle of a backlog, and a stop there,
// make no event come twice and none change its place.
func TestABacklogIsDeliveredOnceThroughThrottlingAndStops(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "vero")
	const people, each = 300, 20
	for n := range each {
		var events []event.Event
		for p := range people {
			events = append(events, call(fmt.Sprintf("p%03d", p), n))
		}
		appendAll(t, s, events...)
	}
	var mu sync.Mutex
	taken := 0
	verdict := func(event.Event) delivery.Outcome {
		mu.Lock()
		defer mu.Unlock()
		if taken++; taken%701 == 0 {
			return delivery.Unavailable(delivery.ReasonThrottled, errors.New("429"), 0)
		}
		return delivery.Delivered()
	}
	var got []string
	for round := range 4 {
		d := newDestination("vero", verdict)
		stop := drainTo(t, s, d, DrainOptions{MaxEvents: 500})
		d.await(t, min((round+1)*people*each/5, people*each-len(got)))
		if round == 3 {
			d.await(t, people*each-len(got))
		}
		stop()
		got = append(got, d.ids()...)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir, "vero")
	}
	if len(got) != people*each {
		t.Errorf("%d deliveries of %d events", len(got), people*each)
	}
	for p := range people {
		user := fmt.Sprintf("p%03d", p)
		if diff := cmp.Diff(ids(calls(user, each)), of(user, got)); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", user, diff)
		}
	}
}

// An event that links two people waits for the earlier events of both.
func TestALinkDoesNotOvertake(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	failing := &failures{left: map[string]int{"u2-000": 8, "u1-000": 1}}
	d := newDestination("vero", failing.verdict)
	appendAll(t, s, call("u2", 0))
	drainTo(t, s, d, DrainOptions{})
	r.await(t, "u2-000", delivery.StatusWaiting)
	link := call("u2", 1)
	link.Type = event.Alias
	link.Body = fmt.Appendf(nil, `{"type":"alias","messageId":%q,"userId":"u2","previousId":"u1"}`, link.ID)
	appendAll(t, s, call("u1", 0), link, call("u1", 1))
	got := d.await(t, 4)
	if slices.Index(got, link.ID) < slices.Index(got, "u1-000") || slices.Index(got, link.ID) < slices.Index(got, "u2-000") ||
		slices.Index(got, "u1-001") < slices.Index(got, link.ID) {
		t.Errorf("order %v: the link overtook", got)
	}
}

func TestTheHorizonIsForWhatWasTried(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	s.o.Horizon = 50 * time.Millisecond
	r := reportsOf(t, s)
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		if e.ID == "ann-000" {
			return delivery.Retry(delivery.ReasonServerError, errors.New("500"), 0)
		}
		return delivery.Delivered()
	})
	drainTo(t, s, d, DrainOptions{})
	appendAll(t, s, calls("ann", 3)...)
	r.await(t, "ann-000", delivery.StatusDead)
	for _, id := range []string{"ann-001", "ann-002"} {
		r.await(t, id, delivery.StatusDelivered)
	}
}

// After a crash between the retry lane and the progress, what was delivered is
// not queued behind what came after it.
func TestACrashBeforeTheProgressKeepsOrder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "vero")
	before, err := s.loadProgress(t.Context(), eventsStream, "vero")
	if err != nil {
		t.Fatal(err)
	}
	r := reportsOf(t, s)
	failing := &failures{left: map[string]int{"ann-001": 1 << 20}}
	d := newDestination("vero", failing.verdict)
	stop := drainTo(t, s, d, DrainOptions{})
	appendAll(t, s, calls("ann", 2)...)
	r.await(t, "ann-001", delivery.StatusWaiting)
	stop()
	if err := s.saveProgress(t.Context(), "vero", before); err != nil {
		t.Fatal(err)
	}

	again := newDestination("vero", deliverAll)
	drainTo(t, s, again, DrainOptions{})
	appendAll(t, s, call("ann", 2))
	if diff := cmp.Diff([]string{"ann-001", "ann-002"}, again.await(t, 2)); diff != "" {
		t.Errorf("after the crash (-want +got):\n%s", diff)
	}
}

// An event whose source is gone from the settings is skipped and says so, fresh
// or waiting.
func TestEventsOfARemovedSourceAreSkipped(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	failing := newDestination("vero", func(event.Event) delivery.Outcome {
		return delivery.Retry(delivery.ReasonServerError, errors.New("500"), 0)
	})
	stop := drainTo(t, s, failing, DrainOptions{})
	appendAll(t, s, call("ann", 0))
	r.await(t, "ann-000", delivery.StatusWaiting)
	stop()
	appendAll(t, s, call("bob", 0))
	d := newDestination("vero", deliverAll)
	drainTo(t, s, d, DrainOptions{Accept: func(event.Event) (bool, delivery.Reason) { return false, delivery.ReasonSourceRemoved }})
	for _, id := range []string{"ann-000", "bob-000"} {
		if got := r.await(t, id, delivery.StatusSkipped); got.Reason != delivery.ReasonSourceRemoved {
			t.Errorf("%s: reason %s", id, got.Reason)
		}
	}
	if len(d.ids()) > 0 {
		t.Errorf("delivered %v", d.ids())
	}
}

func TestProgressSurvivesWithHoles(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{
		Dir: dir, Destinations: []string{"vero"}, Logger: slog.New(slog.DiscardHandler),
		Probe: Backoff{Min: time.Hour, Max: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := reportsOf(t, s)
	events := append(calls("ann", 1), append(calls("bob", 2), calls("carl", 1)...)...)
	appendAll(t, s, events...)
	down := newDestination("vero", func(e event.Event) delivery.Outcome {
		if e.UserID() == "bob" {
			return delivery.Unavailable(delivery.ReasonUnreachable, errors.New("gone"), 0)
		}
		return delivery.Delivered()
	})
	stop := drainTo(t, s, down, DrainOptions{})
	r.await(t, "carl-000", delivery.StatusDelivered)
	r.await(t, "bob-000", delivery.StatusWaiting)
	stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	up := newDestination("vero", deliverAll)
	drainTo(t, open(t, dir, "vero"), up, DrainOptions{})
	if diff := cmp.Diff([]string{"bob-000", "bob-001"}, up.await(t, 2)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

// small opens a spool so small that a stream other than the events' fills up.
func small(t *testing.T, dir string) *Spool {
	t.Helper()
	s, err := Open(t.Context(), Options{
		Dir: dir, Destinations: []string{"vero"}, MaxBytes: 8 << 20, Logger: slog.New(slog.DiscardHandler),
		Retry: Backoff{Min: time.Millisecond, Max: 5 * time.Millisecond},
		Probe: Backoff{Min: time.Millisecond, Max: 5 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Neither dead letters nor retries that fill their stream stop the others.
func TestAFullStreamStopsNobodyElse(t *testing.T) {
	for name, verdict := range map[string]delivery.Outcome{
		"dead letters": delivery.Dead(delivery.ReasonBadRequest, errors.New("400")),
		"retries":      delivery.Retry(delivery.ReasonServerError, errors.New("500"), 0),
	} {
		t.Run(name, func(t *testing.T) {
			s := small(t, t.TempDir())
			d := newDestination("vero", func(e event.Event) delivery.Outcome {
				if e.UserID() == "ann" {
					return verdict
				}
				return delivery.Delivered()
			})
			drainTo(t, s, d, DrainOptions{})
			for n := range 60 { // 4 MB into a stream of 2 MiB
				appendAll(t, s, incompressible(n, 66_000))
			}
			appendAll(t, s, call("bob", 0))
			d.await(t, 1)
		})
	}
}

// However much fails again and again in the lane, fresh events get their turn.
func TestAFailingLaneLeavesRoomForFreshEvents(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		if strings.HasPrefix(e.UserID(), "bad") {
			return delivery.Retry(delivery.ReasonServerError, errors.New("500"), 0)
		}
		return delivery.Delivered()
	})
	drainTo(t, s, d, DrainOptions{MaxEvents: 10})
	for n, bad := range crowd("bad", 40) {
		appendAll(t, s, bad, call(fmt.Sprintf("good%02d", n), 0))
	}
	d.await(t, 40)
	r.await(t, "bad00039-000", delivery.StatusWaiting)
	appendAll(t, s, call("last", 0))
	d.await(t, 41)
}

// Two people's events with one messageId are two events.
func TestASuspectIsOneEventNotOneID(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	shared := func(user string) event.Event {
		e := call(user, 1)
		e.ID = "shared"
		return e
	}
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		if e.UserID() == "mallory" {
			return delivery.Unavailable(delivery.ReasonRefused, errors.New("403"), 0)
		}
		return delivery.Delivered()
	})
	appendAll(t, s, shared("mallory"), call("bob", 0), shared("bob"), call("carl", 0))
	drainTo(t, s, d, DrainOptions{})
	for _, id := range []string{"bob-000", "carl-000"} {
		r.await(t, id, delivery.StatusDelivered)
	}
	if !slices.Contains(d.ids(), "bob-000") {
		t.Errorf("delivered %v, without bob's first event", d.ids())
	}
}
