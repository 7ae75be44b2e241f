package spool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// However many events fail again and again, those of everybody else get through:
// half of each batch is theirs.
func TestFailingEventsDoNotHoldUpFreshOnes(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), "vero")
	const failing, fresh = 30, 200
	for n := range failing {
		appendAll(t, s, call(fmt.Sprintf("failing%03d", n), 0))
	}
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		if strings.HasPrefix(e.UserID(), "failing") {
			return delivery.Retry(delivery.ReasonServerError, errors.New("500"), 0)
		}
		return delivery.Delivered()
	})
	drainTo(t, s, d, DrainOptions{MaxEvents: 40})
	appendAll(t, s, calls("fresh", fresh)...)
	d.await(t, fresh)
	if diff := cmp.Diff(ids(calls("fresh", fresh)), d.ids()); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
}

// While a backlog is worked off, new events are accepted, and they arrive: behind
// it, each person's in order.
func TestABacklogIsWorkedOffWhileNewEventsComeIn(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), "vero")
	const people, backlog, fresh = 50, 400, 100
	user := func(n int) string { return fmt.Sprintf("user%02d", n%people) }
	for n := range backlog {
		var batch []event.Event
		for p := range people {
			batch = append(batch, call(user(p), n))
		}
		appendAll(t, s, batch...)
	}
	d := newDestination("vero", deliverAll)
	drainTo(t, s, d, DrainOptions{MaxEvents: 100})
	for n := range fresh { // one by one, each on disk before the next
		for p := range 2 {
			appendAll(t, s, call(user(p), backlog+n))
		}
	}
	got := d.await(t, people*backlog+2*fresh)
	for p := range people {
		of := of(user(p), got)
		if !slices.IsSorted(of) || len(slices.Compact(of)) != len(of) {
			t.Errorf("%s: out of order, or twice: %v", user(p), of)
		}
	}
}

// A clock that is set a year ahead, or back, while the program is stopped, holds up
// nothing and gives up nothing that was not tried once more.
func TestTheClockJumpsWhileTheProgramIsStopped(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"ahead": 365 * 24 * time.Hour, "back": -365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			clock := &flight{now: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)}
			s := openFlying(t, dir, clock)
			appendAll(t, s, call("ann", 0), call("bob", 0), call("ann", 1))
			refuse := newDestination("vero", func(e event.Event) delivery.Outcome {
				if e.UserID() == "ann" {
					return delivery.Retry(delivery.ReasonServerError, errors.New("500"), 0)
				}
				return delivery.Delivered()
			})
			stop := drainTo(t, s, refuse, DrainOptions{})
			refuse.awaitID(t, "bob-000")
			stop()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}

			clock.mu.Lock()
			clock.now = clock.now.Add(jump)
			clock.mu.Unlock()
			s = openFlying(t, dir, clock)
			d := newDestination("vero", deliverAll)
			drainTo(t, s, d, DrainOptions{})
			appendAll(t, s, call("ann", 2))
			if diff := cmp.Diff(ids(calls("ann", 3)), d.await(t, 3)); diff != "" {
				t.Errorf("delivered (-want +got):\n%s", diff)
			}
			if letters := deadLetters(t, s, "vero"); len(letters) > 0 {
				t.Errorf("%d dead letters, such as %+v", len(letters), letters[0].Report)
			}
		})
	}
}
