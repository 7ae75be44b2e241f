package main

import (
	"context"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/people"
	"github.com/verobridge/verobridge/outbound"
)

// openPeople opens what is known of people. Nothing is asked yet.
func (b *bridge) openPeople(context.Context) error {
	p, err := people.Open(people.Options{
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
func (b *bridge) resolve(v *outbound.Vero, d destinationSettings) delivery.Destination {
	return b.people.Resolve(v, people.ResolverOptions{
		Plan: func(e event.Event) (sends bool, reason delivery.Reason) {
			plan := v.Plan(e)
			return len(plan.Requests) > 0, plan.Reason
		},
		Hold:     d.HoldAnonymous.Events,
		For:      d.HoldAnonymous.age(),
		CaughtUp: func() bool { return b.spool.CaughtUp(b.loader.Name()) },
	})
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
