package outbound

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what a destination does. The destination's name is a label of
// all of them.
type metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	latency prometheus.Histogram
	rate    prometheus.GaugeFunc
}

// newMetrics makes and registers the metrics of a destination. kind is the type
// of destination in the settings; endpoints are shown from the start, with
// zeroes.
func newMetrics(reg prometheus.Registerer, kind, name string, p *pace, endpoints ...string) (*metrics, error) {
	buckets := []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "verobridge", Subsystem: kind, Name: "calls_total",
			Help: "Calls made, by endpoint and status; status none is a call without an answer.",
		}, []string{"endpoint", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "verobridge", Subsystem: kind, Name: "call_duration_seconds",
			Help: "Time from the start of a call to its answer.", Buckets: buckets,
		}, []string{"endpoint"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "verobridge", Subsystem: kind, Name: "event_latency_seconds",
			Help:    "Time from the acceptance of an event to the start of the calls that delivered it.",
			Buckets: append(buckets, 60, 300, 3600),
		}),
		rate: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "verobridge", Subsystem: kind, Name: "rate_limit",
			Help: "Calls a second that may begin now; +Inf is no limit.",
		}, p.current),
	}
	for _, endpoint := range endpoints {
		m.calls.WithLabelValues(endpoint, "200")
		m.seconds.WithLabelValues(endpoint)
	}
	if reg == nil {
		return m, nil
	}
	reg = prometheus.WrapRegistererWith(prometheus.Labels{"destination": name}, reg)
	for _, c := range []prometheus.Collector{m.calls, m.seconds, m.latency, m.rate} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of destination %q: %w", name, err)
		}
	}
	return m, nil
}

// observe counts one call. A status of 0 is a call without an answer.
func (m *metrics) observe(endpoint string, status int, took time.Duration) {
	label := "none"
	if status != 0 {
		label = strconv.Itoa(status)
	}
	m.calls.WithLabelValues(endpoint, label).Inc()
	m.seconds.WithLabelValues(endpoint).Observe(took.Seconds())
}
