package ingest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/verobridge/verobridge/internal/event"
)

// metrics counts what came through the door.
type metrics struct {
	events   *prometheus.CounterVec
	rejected *prometheus.CounterVec
	requests *prometheus.CounterVec
	duration prometheus.Histogram
	buffered prometheus.Gauge
}

func newMetrics(registerer prometheus.Registerer, sources []Source) (*metrics, error) {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "verobridge_ingest_events_total",
			Help: "Events accepted and durable, by source and type.",
		}, []string{"source", "type"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "verobridge_ingest_rejected_total",
			Help: "Events refused inside an accepted request and kept with their reason, by source and reason.",
		}, []string{"source", "reason"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "verobridge_ingest_requests_total",
			Help: "Requests answered, by status code.",
		}, []string{"code"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "verobridge_ingest_request_duration_seconds",
			Help:    "Time from the first byte of the headers read to the answer written.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		buffered: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "verobridge_ingest_buffered_bytes",
			Help: "Bytes of the bodies that are held until they are answered, and of the events made of them, in steps of 4 KiB.",
		}),
	}
	// Zeroes are shown, so that a rate exists before the first event.
	for _, s := range sources {
		for _, t := range []event.Type{event.Track, event.Identify, event.Page, event.Screen, event.Group, event.Alias} {
			m.events.WithLabelValues(s.Name, string(t))
		}
		for _, reason := range event.Reasons() {
			m.rejected.WithLabelValues(s.Name, reason)
		}
	}
	if registerer == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.events, m.rejected, m.requests, m.duration, m.buffered} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register ingest metrics: %w", err)
		}
	}
	return m, nil
}

// stored counts events that are durable.
func (m *metrics) stored(events []event.Event) {
	for _, e := range events {
		if e.Type == event.Rejected {
			m.rejected.WithLabelValues(e.Source, e.Get("reason").String()).Inc()
			continue
		}
		m.events.WithLabelValues(e.Source, string(e.Type)).Inc()
	}
}

func (m *metrics) request(status int, took time.Duration) {
	m.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	m.duration.Observe(took.Seconds())
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets an http.ResponseController find the writer below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
