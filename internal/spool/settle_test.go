package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// reports collects what DrainReports hands over, the latest for each event.
type reports struct {
	mu      sync.Mutex
	byEvent map[string]delivery.Report
	changed chan struct{}
}

func reportsOf(t *testing.T, s *Spool) *reports {
	t.Helper()
	r := &reports{byEvent: make(map[string]delivery.Report), changed: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.DrainReports(ctx, r.write) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("drain reports: %v", err)
		}
	})
	return r
}

func (r *reports) write(_ context.Context, reports []delivery.Report) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, report := range reports {
		r.byEvent[report.MessageID] = report
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
	return nil
}

// await waits until an event has a status.
func (r *reports) await(t *testing.T, id string, want delivery.Status) delivery.Report {
	t.Helper()
	timeout := time.After(deadline)
	for {
		r.mu.Lock()
		got := r.byEvent[id]
		r.mu.Unlock()
		if got.Status == want {
			return got
		}
		select {
		case <-r.changed:
		case <-timeout:
			t.Fatalf("event %s has status %q, want %q", id, got.Status, want)
		}
	}
}

// failures counts down how often each event still fails.
type failures struct {
	mu   sync.Mutex
	left map[string]int
}

func (f *failures) verdict(e event.Event) delivery.Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left[e.ID] > 0 {
		f.left[e.ID]--
		return delivery.Retry(delivery.ReasonServerError, errors.New("500"), 0)
	}
	return delivery.Delivered()
}

func TestAFailedEventHoldsOnlyItsOwnPersonBack(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	f := &failures{left: map[string]int{"ann-000": 3}}
	d := newDestination("vero", f.verdict)
	drainTo(t, s, d, DrainOptions{MaxEvents: 1})
	ann, bob := calls("ann", 3), calls("bob", 3)
	for i := range ann {
		appendAll(t, s, ann[i])
		appendAll(t, s, bob[i])
	}
	got := d.await(t, 6)
	if diff := cmp.Diff(ids(ann), of("ann", got)); diff != "" {
		t.Errorf("ann's order (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ids(bob), of("bob", got)); diff != "" {
		t.Errorf("bob's order (-want +got):\n%s", diff)
	}
	first := r.await(t, "ann-000", delivery.StatusDelivered)
	if first.Attempts != 4 || first.SettledAt.IsZero() || first.UserID != "ann" || first.Event != "Tested" {
		t.Errorf("report of the failed event: %+v, want 4 attempts and settled", first)
	}
	if second := r.await(t, "ann-001", delivery.StatusDelivered); second.Attempts != 1 {
		t.Errorf("report of the event behind it: %d attempts, want 1", second.Attempts)
	}
}

func TestTheRetryLaneSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "vero")
	r := reportsOf(t, s)
	failing := newDestination("vero", func(e event.Event) delivery.Outcome {
		return delivery.Retry(delivery.ReasonServerError, errors.New("500"), time.Hour)
	})
	stop := drainTo(t, s, failing, DrainOptions{})
	ann := calls("ann", 4)
	appendAll(t, s, ann[:2]...)
	if got := r.await(t, "ann-001", delivery.StatusWaiting); got.Reason != delivery.ReasonBehind {
		t.Errorf("second event waits because of %s, want %s", got.Reason, delivery.ReasonBehind)
	}
	appendAll(t, s, ann[2])
	r.await(t, "ann-002", delivery.StatusWaiting)
	stop()

	d := newDestination("vero", deliverAll)
	drainTo(t, s, d, DrainOptions{})
	appendAll(t, s, ann[3])
	if diff := cmp.Diff(ids(ann), d.await(t, 4)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

func TestAnUnavailableDestinationIsPausedAndProbed(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	refusals := 5
	d := newDestination("vero", nil)
	d.verdict = func(event.Event) delivery.Outcome {
		if refusals > 0 {
			refusals--
			return delivery.Unavailable(delivery.ReasonRefused, errors.New("401"), 0)
		}
		return delivery.Delivered()
	}
	events := calls("ann", 3)
	appendAll(t, s, events...)
	drainTo(t, s, d, DrainOptions{})
	if diff := cmp.Diff(ids(events), d.await(t, 3)); diff != "" {
		t.Errorf("after the pause (-want +got):\n%s", diff)
	}
	if got := r.await(t, "ann-000", delivery.StatusDelivered); got.Reason != delivery.ReasonDelivered {
		t.Errorf("reason %s", got.Reason)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, size := range d.batches[1 : len(d.batches)-1] {
		if size != 1 {
			t.Errorf("batches while paused: %v, want probes of one event", d.batches)
		}
	}
}

// When the destination goes away in the middle of a record, what it took must
// not be sent again, and the rest keeps its order.
func TestAPauseInTheMiddleOfARecordRepeatsNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "vero")
	r := reportsOf(t, s)
	gone := errors.New("gone")
	down := newDestination("vero", func(e event.Event) delivery.Outcome {
		if e.UserID() == "ann" {
			return delivery.Delivered()
		}
		return delivery.Unavailable(delivery.ReasonUnreachable, gone, 0)
	})
	appendAll(t, s, append(calls("ann", 2), calls("bob", 2)...)...)
	stop := drainTo(t, s, down, DrainOptions{})
	down.await(t, 2)
	if got := r.await(t, "bob-000", delivery.StatusWaiting); got.Reason != delivery.ReasonUnreachable {
		t.Errorf("reason %s, want %s", got.Reason, delivery.ReasonUnreachable)
	}
	stop()

	up := newDestination("vero", deliverAll)
	drainTo(t, s, up, DrainOptions{})
	if diff := cmp.Diff([]string{"bob-000", "bob-001"}, up.await(t, 2)); diff != "" {
		t.Errorf("after the pause (-want +got):\n%s", diff)
	}
}

func TestAnEventThatFailsForGoodBecomesADeadLetter(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		if e.ID == "ann-001" {
			return delivery.Dead(delivery.ReasonBadRequest, errors.New("400 event_name is blank"),
				delivery.Call{Method: "POST", URL: "http://vero/events/track", Status: 400})
		}
		return delivery.Delivered()
	})
	drainTo(t, s, d, DrainOptions{})
	events := calls("ann", 3)
	appendAll(t, s, events...)
	if diff := cmp.Diff([]string{"ann-000", "ann-002"}, d.await(t, 2)); diff != "" {
		t.Errorf("the others (-want +got):\n%s", diff)
	}
	report := r.await(t, "ann-001", delivery.StatusDead)
	if report.Reason != delivery.ReasonBadRequest || len(report.Calls) != 1 {
		t.Errorf("report %+v, want the reason and the call", report)
	}
	letters := deadLetters(t, s, "vero")
	if len(letters) != 1 || letters[0].Report.MessageID != "ann-001" || !cmp.Equal([]byte(letters[0].Body), []byte(events[1].Body)) {
		t.Errorf("dead letters %+v, want the event", letters)
	}
}

func deadLetters(t *testing.T, s *Spool, destination string) []Letter {
	t.Helper()
	var letters []Letter
	if err := s.Letters(t.Context(), func(l Letter) error {
		if l.Report.Destination == destination {
			letters = append(letters, l)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return letters
}

func TestRetriesEndAtTheHorizon(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	s.o.Horizon = 50 * time.Millisecond
	r := reportsOf(t, s)
	d := newDestination("vero", func(event.Event) delivery.Outcome {
		return delivery.Retry(delivery.ReasonServerError, errors.New("500"), 0)
	})
	drainTo(t, s, d, DrainOptions{})
	appendAll(t, s, call("ann", 0))
	if got := r.await(t, "ann-000", delivery.StatusDead); got.Reason != delivery.ReasonExpired || got.Attempts < 2 {
		t.Errorf("report %+v, want dead by the horizon after several attempts", got)
	}
}

func TestAPanicKillsOnlyItsOwnEvent(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	d := panicking{newDestination("vero", deliverAll)}
	drainTo(t, s, d, DrainOptions{})
	appendAll(t, s, calls("ann", 3)...)
	if diff := cmp.Diff([]string{"ann-000", "ann-002"}, d.await(t, 2)); diff != "" {
		t.Errorf("the others (-want +got):\n%s", diff)
	}
	if got := r.await(t, "ann-001", delivery.StatusDead); got.Reason != delivery.ReasonBug {
		t.Errorf("reason %s, want %s", got.Reason, delivery.ReasonBug)
	}
}

type panicking struct{ *destination }

func (d panicking) Deliver(ctx context.Context, batch []event.Event) []delivery.Outcome {
	for _, e := range batch {
		if e.ID == "ann-001" {
			panic("cannot map ann-001")
		}
	}
	return d.destination.Deliver(ctx, batch)
}

func TestADamagedRecordIsSetAside(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	d := newDestination("vero", deliverAll)
	appendAll(t, s, call("ann", 0))
	if err := s.publish(t.Context(), eventsSubject, []byte("\x01 is no s2 block")); err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, call("ann", 1))
	drainTo(t, s, d, DrainOptions{})
	d.await(t, 2)
	letters := deadLetters(t, s, "vero")
	if len(letters) != 1 || string(letters[0].Record) != "\x01 is no s2 block" {
		t.Errorf("dead letters %+v, want the damaged record", letters)
	}
}

func TestReportsAreRepeatedUntilWritten(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	d := newDestination("vero", deliverAll)
	drainTo(t, s, d, DrainOptions{})
	appendAll(t, s, calls("ann", 3)...)
	d.await(t, 3)

	r := &reports{byEvent: make(map[string]delivery.Report), changed: make(chan struct{}, 1)}
	refusals := 3
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.DrainReports(ctx, func(ctx context.Context, batch []delivery.Report) error {
			if refusals > 0 {
				refusals--
				return errors.New("the database is down")
			}
			return r.write(ctx, batch)
		})
	}()
	for _, id := range []string{"ann-000", "ann-001", "ann-002"} {
		r.await(t, id, delivery.StatusDelivered)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The reports of a batch may be larger than a record may be.
func TestReportsOfAnySizeAreKept(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	request := fmt.Appendf(nil, `{"p":%q}`, incompressible(1, 60_000).Body)
	huge := make([]byte, 5_000_000)
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		return delivery.Delivered(
			delivery.Call{Method: "POST", URL: e.ID, Request: request},
			delivery.Call{Method: "POST", URL: e.ID, Request: huge})
	})
	events := calls("ann", 200)
	appendAll(t, s, events...)
	drainTo(t, s, d, DrainOptions{})
	for _, e := range events {
		got := r.await(t, e.ID, delivery.StatusDelivered)
		if len(got.Calls) != 2 || !bytes.Equal(got.Calls[0].Request, request) || got.Calls[1].Request != nil {
			t.Fatalf("report of %s: %d calls, want the first request whole and the huge one left out", e.ID, len(got.Calls))
		}
	}
}

// of returns the ids of one user's events.
func of(user string, all []string) []string {
	var some []string
	for _, id := range all {
		if len(id) > len(user) && id[:len(user)+1] == user+"-" {
			some = append(some, id)
		}
	}
	return some
}
