package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// counts are the four numbers that move while the bridge does its job.
type counts struct{ eventsIn, veroCalls, emailsBack, rows int }

func (c counts) String() string {
	return fmt.Sprintf("events in %d · Vero calls %d · emails back %d · rows written %d",
		c.eventsIn, c.veroCalls, c.emailsBack, c.rows)
}

// countsOf reads the numbers from the metrics that everybody can see.
func countsOf(metrics prometheus.Gatherer) (counts, error) {
	families, err := metrics.Gather()
	if err != nil {
		return counts{}, fmt.Errorf("read metrics: %w", err)
	}
	var c counts
	for _, family := range families {
		for _, m := range family.GetMetric() {
			n := int(m.GetCounter().GetValue())
			switch family.GetName() {
			case "verobridge_ingest_events_total":
				if label(m, "source") == "vero" {
					c.emailsBack += n
				} else {
					c.eventsIn += n
				}
			case "verobridge_vero_calls_total":
				c.veroCalls += n
			case "verobridge_warehouse_rows_total":
				c.rows += n
			}
		}
	}
	return c, nil
}

func label(m *dto.Metric, name string) string {
	for _, pair := range m.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// watch shows the counts, on one line of a terminal or line by line in a log,
// until dev stops or the bridge fails.
func (d *dev) watch(ctx context.Context) error {
	every, form := 5*time.Second, "%s\n"
	if isTerminal(d.out) {
		every, form = 200*time.Millisecond, "\r\033[K%s"
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-d.bridge.failed:
			return err
		case <-ticker.C:
			c, err := countsOf(d.bridge.metrics)
			if err != nil {
				return err
			}
			fmt.Fprintf(d.out, form, c)
		}
	}
}
