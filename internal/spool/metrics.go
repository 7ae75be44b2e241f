package spool

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/verobridge/verobridge/internal/delivery"
)

// scrapeTimeout bounds what one scrape asks of JetStream.
const scrapeTimeout = 2 * time.Second

type metrics struct {
	registerer prometheus.Registerer // nil for none

	events     prometheus.Counter
	records    prometheus.Counter
	failures   prometheus.Counter
	seconds    prometheus.Histogram
	settlement *prometheus.CounterVec
	paused     *prometheus.GaugeVec
	waiting    *prometheus.GaugeVec
	letters    *prometheus.CounterVec
	state      *state
}

func newMetrics(r prometheus.Registerer, s *Spool) *metrics {
	m := &metrics{
		registerer: r,
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "verobridge_spool_events_total",
			Help: "Events that were written to the spool durably.",
		}),
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "verobridge_spool_records_total",
			Help: "Records that were synced; each holds one or more events.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "verobridge_spool_append_failures_total",
			Help: "Appends that failed and were answered with 503.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "verobridge_spool_append_seconds",
			Help:    "Time until an append was durable.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		settlement: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "verobridge_deliveries_total",
			Help: "What became of events at each destination, by status and reason.",
		}, []string{"destination", "status", "reason"}),
		paused: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "verobridge_destination_paused",
			Help: "1 while a destination takes nothing and is probed.",
		}, []string{"destination"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "verobridge_spool_retry_events",
			Help: "Events in a destination's retry lane.",
		}, []string{"destination"}),
		letters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "verobridge_spool_dead_letters_total",
			Help: "Events and records of a destination that became dead letters.",
		}, []string{"destination"}),
		state: &state{spool: s},
	}
	for _, name := range s.o.Destinations {
		m.pause(name, false)
		m.wait(name, 0)
		m.buried(name, 0)
	}
	if r != nil {
		r.MustRegister(m.collectors()...)
	}
	return m
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.events, m.records, m.failures, m.seconds, m.settlement, m.paused, m.waiting, m.letters, m.state}
}

func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.collectors() {
		m.registerer.Unregister(c)
	}
}

func (m *metrics) appended(events int, took time.Duration, err error) {
	if err != nil {
		m.failures.Inc()
		return
	}
	m.events.Add(float64(events))
	m.seconds.Observe(took.Seconds())
}

func (m *metrics) settled(destination string, reports []delivery.Report) {
	for _, r := range reports {
		m.settlement.WithLabelValues(destination, string(r.Status), string(r.Reason)).Inc()
	}
}

func (m *metrics) wait(destination string, events int) {
	m.waiting.WithLabelValues(destination).Set(float64(events))
}

func (m *metrics) buried(destination string, letters int) {
	m.letters.WithLabelValues(destination).Add(float64(letters))
}

func (m *metrics) pause(destination string, paused bool) {
	var v float64
	if paused {
		v = 1
	}
	m.paused.WithLabelValues(destination).Set(v)
}

var (
	bytesDesc = prometheus.NewDesc("verobridge_spool_bytes",
		"Bytes of events on disk.", nil, nil)
	limitDesc = prometheus.NewDesc("verobridge_spool_limit_bytes",
		"Bytes of events that the spool may hold before it answers 503.", nil, nil)
	fullDesc = prometheus.NewDesc("verobridge_spool_full_in_seconds",
		"When the spool is full if what waits goes on to grow as in the last hour; +Inf while it does not.", nil, nil)
	behindDesc = prometheus.NewDesc("verobridge_destination_behind_seconds",
		"Age of the oldest event that has had no turn at a destination; 0 if there is none.", []string{"destination"}, nil)
	backlogDesc = prometheus.NewDesc("verobridge_spool_backlog_records",
		"Records that a destination has not settled; each holds one or more events.", []string{"destination"}, nil)
)

// state reads from JetStream, at each scrape, what it knows best.
type state struct{ spool *Spool }

// Describe implements prometheus.Collector.
func (c *state) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{bytesDesc, limitDesc, fullDesc, behindDesc, backlogDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. What cannot be read is left out.
func (c *state) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	full := math.Inf(1)
	if left, _, growing := c.spool.forecast.fullIn(); growing {
		full = left.Seconds()
	}
	ch <- prometheus.MustNewConstMetric(fullDesc, prometheus.GaugeValue, full)
	events, err := c.spool.js.Stream(ctx, eventsStream)
	if err != nil {
		return
	}
	held := events.CachedInfo().State
	gauge(bytesDesc, held.Bytes)
	gauge(limitDesc, uint64(c.spool.o.MaxBytes))
	standings, err := c.spool.Standings(ctx)
	if err != nil {
		return
	}
	for _, st := range standings {
		gauge(backlogDesc, st.Backlog, st.Destination)
		behind := 0.0
		if !st.BehindSince.IsZero() {
			behind = max(0, c.spool.clock.now().Sub(st.BehindSince).Seconds())
		}
		ch <- prometheus.MustNewConstMetric(behindDesc, prometheus.GaugeValue, behind, st.Destination)
	}
}
