package main

import (
	"context"
	"fmt"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/verobridge/verobridge/internal/console"
	"github.com/verobridge/verobridge/internal/delivery"
)

// consoleState says how the bridge stands: what is counted as the metrics say,
// which everybody can see, and the rest as the spool does.
func (b *bridge) consoleState(ctx context.Context) (console.State, error) {
	standings, err := b.spool.Standings(ctx)
	if err != nil {
		return console.State{}, err
	}
	families, err := b.metrics.Gather()
	if err != nil {
		return console.State{}, fmt.Errorf("read metrics: %w", err)
	}
	s := console.State{At: time.Now().UTC(), Refused: b.spool.Ready()}
	if left, behind, soon := b.spool.FullIn(); soon {
		s.FullIn, s.Behind = left, behind
	}
	sources, destinations := make(map[string]*console.SourceState), make(map[string]*console.DestinationState)
	for _, source := range b.settings.Sources {
		s.Sources = append(s.Sources, console.SourceState{Name: source.Name, Vero: source.Type == typeVero})
	}
	for _, standing := range standings {
		s.Destinations = append(s.Destinations, console.DestinationState{Standing: standing})
	}
	for i := range s.Sources {
		sources[s.Sources[i].Name] = &s.Sources[i]
	}
	for i := range s.Destinations {
		destinations[s.Destinations[i].Destination] = &s.Destinations[i]
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			count := int(m.GetCounter().GetValue())
			switch family.GetName() {
			case "verobridge_ingest_events_total":
				if source := sources[label(m, "source")]; source != nil {
					source.Accepted += count
				}
			case "verobridge_ingest_rejected_total":
				if source := sources[label(m, "source")]; source != nil {
					source.Rejected += count
				}
			case "verobridge_ingest_requests_total":
				if label(m, "code") == "401" {
					s.Unknown += count
				}
			case "verobridge_deliveries_total":
				countDelivery(destinations[label(m, "destination")], delivery.Status(label(m, "status")), count)
			case "verobridge_spool_bytes":
				s.SpoolBytes = int64(m.GetGauge().GetValue())
			case "verobridge_spool_limit_bytes":
				s.SpoolLimit = int64(m.GetGauge().GetValue())
			case "verobridge_warehouse_discards_total":
				s.Discards += count
			case "verobridge_ingest_request_duration_seconds":
				s.Answered = histogramOf(m)
			case "verobridge_warehouse_freshness_seconds":
				s.Fresh = histogramOf(m)
			}
		}
	}
	return s, nil
}

func countDelivery(d *console.DestinationState, status delivery.Status, count int) {
	if d == nil {
		return
	}
	switch status {
	case delivery.StatusDelivered:
		d.Delivered += count
	case delivery.StatusSkipped:
		d.Skipped += count
	case delivery.StatusDead, delivery.StatusAmbiguous:
		d.Dead += count
	case delivery.StatusWaiting, delivery.StatusHeld: // not the end of it
	}
}

func histogramOf(m *dto.Metric) console.Histogram {
	var h console.Histogram
	for _, bucket := range m.GetHistogram().GetBucket() {
		h.Bounds = append(h.Bounds, bucket.GetUpperBound())
		h.Counts = append(h.Counts, bucket.GetCumulativeCount())
	}
	return h
}
