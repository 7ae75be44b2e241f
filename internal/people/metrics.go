package people

import "github.com/prometheus/client_golang/prometheus"

// metrics counts what is remembered of people.
type metrics struct {
	registerer prometheus.Registerer
	registered []prometheus.Collector
}

func newMetrics(r prometheus.Registerer, p *People) *metrics {
	m := &metrics{registerer: r}
	m.register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "verobridge_suppressions",
		Help: "Identifiers of people who were erased and are never sent again.",
	}, func() float64 { return float64(p.suppressions.size()) }))
	return m
}

// watch shows how many events a destination holds.
func (m *metrics) watch(destination string, size func() int) {
	m.register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "verobridge_held_events",
		Help:        "Events that wait for their anonymous visitors to identify.",
		ConstLabels: prometheus.Labels{"destination": destination},
	}, func() float64 { return float64(size()) }))
}

func (m *metrics) register(c prometheus.Collector) {
	if m.registerer != nil && m.registerer.Register(c) == nil {
		m.registered = append(m.registered, c)
	}
}

func (m *metrics) unregister() {
	for _, c := range m.registered {
		m.registerer.Unregister(c)
	}
}
