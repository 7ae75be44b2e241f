package spool

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// offer hands events to the destination and returns one outcome for each. A
// panic there must not take the program down again and again with the same
// event, so the batch is then tried one by one, and an event that panics alone
// is dead.
func (d *drain) offer(ctx context.Context, items []item) []delivery.Outcome {
	events := make([]event.Event, len(items))
	for i, it := range items {
		events[i] = it.event
	}
	outcomes, err := d.try(ctx, events)
	if err == nil {
		return outcomes
	}
	if len(events) == 1 {
		return []delivery.Outcome{delivery.Dead(delivery.ReasonBug, err)}
	}
	d.log.Error("a destination failed on a batch; trying its events one by one", "error", err)
	outcomes = make([]delivery.Outcome, len(events))
	for _, chain := range delivery.Chains(events) {
		behind := false
		for _, i := range chain {
			if behind {
				outcomes[i] = delivery.Behind()
				continue
			}
			one, err := d.try(ctx, events[i:i+1])
			if err != nil {
				one = []delivery.Outcome{delivery.Dead(delivery.ReasonBug, err)}
			}
			outcomes[i] = one[0]
			behind = !outcomes[i].Final() && !outcomes[i].Aside()
		}
	}
	return outcomes
}

// try calls the destination once and holds it to its contract.
func (d *drain) try(ctx context.Context, events []event.Event) (outcomes []delivery.Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			d.log.Error("a destination panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	outcomes = d.destination.Deliver(ctx, events)
	if len(outcomes) != len(events) {
		return nil, fmt.Errorf("%d outcomes for %d events", len(outcomes), len(events))
	}
	for _, o := range outcomes {
		if !o.Valid() {
			return nil, errors.New("an event without an outcome")
		}
	}
	return outcomes, nil
}
