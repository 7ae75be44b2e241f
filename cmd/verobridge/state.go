package main

import (
	"cmp"
	"context"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/warehouse"
)

// flushRefusals is how often it is written which requests were refused.
const flushRefusals = 5 * time.Second

// typeWarehouse is the warehouse's type among the destinations.
const typeWarehouse = "postgres"

// writeState writes what SQL needs to explain what has no row in
// verobridge.deliveries yet: the settings' sources, and how destinations stand.
func (b *bridge) writeState(ctx context.Context, standings []delivery.Standing) error {
	s := warehouse.State{Started: b.started, At: time.Now().UTC()}
	for _, source := range b.settings.Sources {
		s.Sources = append(s.Sources, warehouse.SourceState{
			Name: source.Name, Type: cmp.Or(source.Type, typeApp), Trust: cmp.Or(source.Trust, trustServer),
			Destinations: append([]string{b.loader.Name()}, source.Destinations...),
		})
	}
	types := map[string]string{b.loader.Name(): typeWarehouse}
	for _, d := range b.settings.Destinations {
		types[d.Name] = d.Type
	}
	for _, st := range standings {
		s.Destinations = append(s.Destinations, warehouse.DestinationState{Type: types[st.Destination], Standing: st})
	}
	return b.loader.WriteState(ctx, s)
}

// keepRefusals writes which requests were refused, until ctx ends. While Postgres
// is away the first ones are kept for it.
func (b *bridge) keepRefusals(ctx context.Context) {
	ticker := time.NewTicker(flushRefusals)
	defer ticker.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := b.refusals.Flush(ctx, b.loader.WriteRefusals)
		if err != nil && ctx.Err() == nil && !failing {
			b.log.Warn("cannot write which requests were refused; trying again", "error", err)
		}
		failing = err != nil
	}
}
