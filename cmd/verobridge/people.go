package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/people"
	"github.com/verobridge/verobridge/outbound"
)

const (
	// refreshShared is how often bridges that share a cluster look who was erased by
	// another one.
	refreshShared = 5 * time.Second
	// deliveryTime is more than what a delivery takes that began before.
	deliveryTime = 25 * time.Second
)

// openPeople opens what is known of people. Nothing is asked yet.
func (b *bridge) openPeople(context.Context) error {
	var refresh time.Duration
	if b.settings.NATS.URL != "" {
		refresh = refreshShared
	}
	p, err := people.Open(people.Options{
		Refresh:    refresh,
		URL:        b.settings.Warehouse.URL,
		Dir:        b.settings.DataDir,
		Prepare:    b.loader.Prepare,
		Logger:     b.log,
		Registerer: b.metrics,
	})
	if err != nil {
		return err
	}
	b.people = p
	b.onStop(func(context.Context) error {
		p.Close()
		return nil
	})
	return nil
}

// resolve lets Vero get the events of anonymous visitors who are known, and
// hold those of others if the settings say so.
func (b *bridge) resolve(v *outbound.Vero, d destinationSettings) (delivery.Destination, error) {
	plan := func(e event.Event) (sends bool, reason delivery.Reason) {
		plan := v.Plan(e)
		return len(plan.Requests) > 0, plan.Reason
	}
	for _, name := range d.HoldAnonymous.Events {
		if sends, _ := plan(anonymousEvent(name)); sends {
			return nil, fmt.Errorf("destination %q: hold_anonymous holds nothing, because the mapping sends events under their anonymousId; remove anonymous_id from mapping.id, or hold_anonymous", d.Name)
		}
	}
	return b.people.Resolve(v, people.ResolverOptions{
		Plan:     plan,
		Hold:     d.HoldAnonymous.Events,
		For:      d.HoldAnonymous.age(),
		CaughtUp: func() bool { return b.spool.CaughtUp(b.loader.Name()) },
	}), nil
}

// anonymousEvent is what a visitor does whom nobody knows.
func anonymousEvent(name string) event.Event {
	body, err := json.Marshal(map[string]string{"type": "track", "anonymousId": "visitor", "event": name})
	if err != nil {
		panic(err) // strings always marshal
	}
	return event.Event{ID: "visit", Type: event.Track, Body: body}
}

// writeReports writes what became of events, and lets people forget the held
// ones that are done with.
func (b *bridge) writeReports(ctx context.Context, reports []delivery.Report) error {
	reports = b.people.Scrub(reports)
	if err := b.loader.WriteReports(ctx, reports); err != nil {
		return err
	}
	b.people.Reported(reports)
	return nil
}
