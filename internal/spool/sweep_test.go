package spool

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// holding is a destination that gives up what it holds when it is swept.
type holding struct {
	*destination
	mu    sync.Mutex
	given [][]delivery.Resolved // by sweep
}

func (h *holding) Sweep(context.Context) ([]delivery.Resolved, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.given) == 0 {
		return nil, errors.New("the database is down")
	}
	given := h.given[0]
	h.given = h.given[1:]
	if given == nil {
		panic("no person")
	}
	return given, nil
}

func anonymous(n int) event.Event {
	e := call("", n)
	e.Source = "web"
	return e
}

func TestHeldEventsAreSettledByLaterOnes(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	held := []event.Event{anonymous(0), anonymous(1), anonymous(2)}
	identify := call("ann", 0)
	attempts := 0
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		if e.ID != identify.ID {
			return delivery.Held(delivery.ReasonHeld)
		}
		if attempts++; attempts == 1 {
			// The first of them is done, the next one fails: so does what links them.
			return delivery.Retry(delivery.ReasonServerError, errors.New("500"), 0).
				With(delivery.Resolved{Event: held[0], Outcome: delivery.Delivered()})
		}
		return delivery.Delivered().With(
			delivery.Resolved{Event: held[1], Outcome: delivery.Delivered()},
			delivery.Resolved{Event: held[2], Outcome: delivery.Dead(delivery.ReasonBadRequest, errors.New("400"))})
	})
	drainTo(t, s, d, DrainOptions{})
	appendAll(t, s, held...)
	for _, e := range held {
		if report := r.await(t, e.ID, delivery.StatusHeld); !report.SettledAt.IsZero() {
			t.Errorf("%s is held and settled at %s", e.ID, report.SettledAt)
		}
	}
	appendAll(t, s, identify)
	for i, want := range []delivery.Status{delivery.StatusDelivered, delivery.StatusDelivered, delivery.StatusDead} {
		if report := r.await(t, held[i].ID, want); report.Source != "web" || report.SettledAt.IsZero() {
			t.Errorf("report %+v, want its own source, and settled", report)
		}
	}
	r.await(t, identify.ID, delivery.StatusDelivered)
	if letters := deadLetters(t, s, "vero"); len(letters) != 1 || letters[0].Report.MessageID != held[2].ID {
		t.Errorf("%d letters, want the held event that was refused", len(letters))
	}
}

// What a destination gives up without an event is settled too, and a sweep that
// fails stops nothing.
func TestHeldEventsAreGivenUp(t *testing.T) {
	t.Parallel()
	s := openFlying(t, t.TempDir(), &flight{now: time.Now()})
	r := reportsOf(t, s)
	d := &holding{destination: newDestination("vero", deliverAll), given: [][]delivery.Resolved{
		{{Event: anonymous(0), Outcome: delivery.Skipped(delivery.ReasonHeldExpired)}},
		nil,
		{{Event: anonymous(1), Outcome: delivery.Skipped(delivery.ReasonHeldExpired)}},
	}}
	drainTo(t, s, d, DrainOptions{})
	for n := range 2 {
		if report := r.await(t, anonymous(n).ID, delivery.StatusSkipped); report.Reason != delivery.ReasonHeldExpired {
			t.Errorf("reason %s", report.Reason)
		}
	}
	appendAll(t, s, call("ann", 0))
	d.await(t, 1)
}
