package spool

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// refuseBad refuses the events of people named bad.
func refuseBad(e event.Event) delivery.Outcome {
	if strings.HasPrefix(e.UserID(), "bad") {
		return delivery.Dead(delivery.ReasonBadRequest, errors.New("400"))
	}
	return delivery.Delivered()
}

func letterIDs(letters []Letter) []string {
	var ids []string
	for _, l := range letters {
		ids = append(ids, l.ID())
	}
	return ids
}

func named(ids ...string) func(Letter) bool {
	return func(l Letter) bool {
		for _, id := range ids {
			if l.ID() == id {
				return true
			}
		}
		return false
	}
}

func TestLettersAreTakenOneByOne(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	drainTo(t, s, newDestination("vero", refuseBad), DrainOptions{})
	bad := crowd("bad", 4)
	appendAll(t, s, bad...) // one record, so one record of letters
	for _, e := range bad {
		r.await(t, e.ID, delivery.StatusDead)
	}
	if err := s.publish(t.Context(), eventsSubject, []byte("\x01 is no s2 block")); err != nil {
		t.Fatal(err)
	}
	last := call("bad", 99)
	appendAll(t, s, last)
	r.await(t, last.ID, delivery.StatusDead)

	letters := deadLetters(t, s, "vero")
	damaged := letters[4].ID()
	want := append(ids(bad), damaged, last.ID)
	if diff := cmp.Diff(want, letterIDs(letters)); diff != "" || letters[4].Report.SettledAt.IsZero() {
		t.Fatalf("letters (-want +got):\n%s", diff)
	}
	if n, err := s.Drop(t.Context(), named(bad[1].ID, damaged)); n != 2 || err != nil {
		t.Errorf("dropped %d, %v; want 2", n, err)
	}
	if diff := cmp.Diff([]string{last.ID, bad[0].ID, bad[2].ID, bad[3].ID}, letterIDs(deadLetters(t, s, "vero"))); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	n, err := s.Forget(t.Context(), func(e event.Event) bool { return e.UserID() == bad[2].UserID() })
	if n != 1 || err != nil {
		t.Errorf("forgot %d, %v; want 1", n, err)
	}
	if n, err := s.Drop(t.Context(), func(Letter) bool { return true }); n != 3 || err != nil {
		t.Errorf("dropped %d, %v; want the other 3", n, err)
	}
}

// A letter that is tried again keeps its identity and its attempts, and is a
// letter no more.
func TestLettersAreTriedAgain(t *testing.T) {
	s := open(t, t.TempDir(), "vero", "other")
	r := reportsOf(t, s)
	stop := drainTo(t, s, newDestination("vero", refuseBad), DrainOptions{})
	bad := crowd("bad", 3)
	appendAll(t, s, bad...)
	for _, e := range bad {
		r.await(t, e.ID, delivery.StatusDead)
	}
	stop()

	var got []event.Event
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		got = append(got, e)
		return delivery.Delivered()
	})
	if n, err := s.Retry(t.Context(), named(bad[0].ID, bad[2].ID)); n != 2 || err != nil {
		t.Fatalf("queued %d, %v; want 2", n, err)
	}
	if report := r.await(t, bad[0].ID, delivery.StatusWaiting); report.Reason != delivery.ReasonReplayed || report.Attempts != 1 {
		t.Errorf("report %+v, want that it waits to be sent again", report)
	}
	if n, err := s.Queued(t.Context(), "vero"); n != 2 || err != nil {
		t.Errorf("%d are queued, %v; want 2", n, err)
	}
	drainTo(t, s, d, DrainOptions{})
	for _, e := range []event.Event{bad[0], bad[2]} {
		if report := r.await(t, e.ID, delivery.StatusDelivered); report.Attempts != 2 || !report.ReceivedAt.Equal(e.ReceivedAt) {
			t.Errorf("report %+v, want two attempts", report)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if diff := cmp.Diff([]event.Event{bad[0], bad[2]}, got); diff != "" {
		t.Errorf("sent again (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{bad[1].ID}, letterIDs(deadLetters(t, s, "vero"))); diff != "" {
		t.Errorf("letters left (-want +got):\n%s", diff)
	}
}
