package spool

import (
	"errors"
	"testing"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// Events that wait for something else than the destination hold up neither it,
// however many they are, nor the later events of their people; also after a
// restart.
func TestAsideHoldsUpNobody(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "vero")
	r := reportsOf(t, s)
	ready := ""
	verdict := func(e event.Event) delivery.Outcome {
		if e.Name() == "Waits" && e.ID != ready {
			return delivery.Aside(delivery.ReasonIdentities, errors.New("the database is down"))
		}
		return delivery.Delivered()
	}
	var waiting []event.Event
	for n := range 2 * massFailure {
		e := call("ann", n)
		e.Body = []byte(`{"userId":"ann","event":"Waits"}`)
		waiting = append(waiting, e)
	}
	stop := drainTo(t, s, newDestination("vero", verdict), DrainOptions{})
	appendAll(t, s, waiting...)
	for _, e := range waiting {
		r.await(t, e.ID, delivery.StatusWaiting)
	}
	later := call("ann", len(waiting))
	appendAll(t, s, later)
	r.await(t, later.ID, delivery.StatusDelivered)

	stop()
	ready = waiting[0].ID
	drainTo(t, s, newDestination("vero", verdict), DrainOptions{})
	r.await(t, waiting[0].ID, delivery.StatusDelivered)
	after := call("ann", len(waiting)+1)
	appendAll(t, s, after)
	r.await(t, after.ID, delivery.StatusDelivered)
}
