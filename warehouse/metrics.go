package warehouse

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are labelled by schema, which the settings bound, and not by table,
// which the names of events do not.
type metrics struct {
	rows      *prometheus.CounterVec
	discards  *prometheus.CounterVec
	load      prometheus.Histogram
	freshness prometheus.Histogram
}

// newMetrics registers the metrics; those of the schemas known from the start
// are shown with zeroes.
func newMetrics(r prometheus.Registerer, schemas map[string]string) *metrics {
	m := &metrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "verobridge_warehouse_rows_total",
			Help: "Rows inserted, those of repeated events not counted.",
		}, []string{"schema"}),
		discards: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "verobridge_warehouse_discards_total",
			Help: "Values that did not get into their column, by reason.",
		}, []string{"schema", "reason"}),
		load: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "verobridge_warehouse_load_seconds",
			Help:    "Time that it took to load a batch, changes of tables included.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}),
		freshness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "verobridge_warehouse_freshness_seconds",
			Help:    "Time from the arrival of an event until its rows could be selected.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 18),
		}),
	}
	for schema := range schemas {
		m.rows.WithLabelValues(schema)
		for _, reason := range []string{lostCollision, lostMisfit, lostFull} {
			m.discards.WithLabelValues(schema, reason)
		}
	}
	if r != nil {
		r.MustRegister(m.rows, m.discards, m.load, m.freshness)
	}
	return m
}
