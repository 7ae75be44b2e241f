package bench

import (
	"context"
	"fmt"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// usage is what a bridge says of itself on /metrics.
type usage struct {
	cpu     float64        // seconds so far
	memory  float64        // bytes of the machine's memory now
	events  float64        // accepted so far
	records float64        // synced so far, with the events in them
	settled map[string]int // delivered so far, by destination
}

// readUsage asks a bridge.
func readUsage(ctx context.Context, admin string) (usage, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/metrics", nil)
	if err != nil {
		return usage{}, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return usage{}, fmt.Errorf("read the bridge's metrics: %w", err)
	}
	defer answer.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		return usage{}, fmt.Errorf("read the bridge's metrics: %w", err)
	}
	u := usage{
		cpu:     sum(families["process_cpu_seconds_total"], nil),
		memory:  sum(families["process_resident_memory_bytes"], nil),
		events:  sum(families["verobridge_spool_events_total"], nil),
		records: sum(families["verobridge_spool_records_total"], nil),
		settled: make(map[string]int),
	}
	for _, name := range []string{warehouseName, veroName} {
		u.settled[name] = int(sum(families["verobridge_deliveries_total"], map[string]string{"destination": name, "status": "delivered"}))
	}
	return u, nil
}

// sum adds the values of a metric, of those that have these labels.
func sum(family *dto.MetricFamily, labels map[string]string) (total float64) {
	for _, m := range family.GetMetric() {
		matching := 0
		for _, pair := range m.GetLabel() {
			if want, ok := labels[pair.GetName()]; ok && want == pair.GetValue() {
				matching++
			}
		}
		if matching == len(labels) {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return total
}
