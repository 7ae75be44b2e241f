package outbound

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// batchPath is where Segment-compatible endpoints take batches.
const batchPath = "/v1/batch"

// SegmentOptions are the settings of a destination of type segment.
type SegmentOptions struct {
	// Name is the destination's name in the settings. Required.
	Name string
	// URL is the endpoint, with or without /v1/batch at its end. Required.
	URL string
	// AllowPrivate lets URL lead to this machine or a private address. Defaults
	// to false. It means nothing where Transport is set, or where a proxy of the
	// environment makes the connections.
	AllowPrivate bool
	// WriteKey is the endpoint's key for our events. Required.
	WriteKey string
	// Consent is what people must have agreed to. Defaults to nothing.
	Consent Consent
	// Timeout bounds one request, from connecting to the end of the answer.
	// Defaults to 15 s.
	Timeout time.Duration
	// Rate bounds the requests begun in a second. Defaults to 0, no limit. When
	// the endpoint answers that there are too many, there are fewer for a while.
	Rate float64
	// Budget is how long a delivery begins new requests; events that were in none
	// have to wait for the next one. Defaults to 20 s.
	Budget time.Duration
	// Transport makes the requests. Defaults to a transport of its own.
	Transport http.RoundTripper
	// Logger gets one debug line for each request. Defaults to none.
	Logger *slog.Logger
	// Registerer gets the metrics. Defaults to none.
	Registerer prometheus.Registerer
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Segment is a destination: another endpoint that speaks Segment's protocol. It
// relays events as they were accepted, in batches, one request after the other.
type Segment struct {
	name    string
	url     string
	header  http.Header
	consent Consent
	client  client
	budget  time.Duration
}

var _ delivery.Destination = (*Segment)(nil)

// NewSegment returns the destination. An error names the setting that is wrong
// and the cure.
func NewSegment(o SegmentOptions) (*Segment, error) {
	if o.Name == "" {
		return nil, errors.New("destination of type segment: name is missing; give it one and keep it, its place in the spool depends on it")
	}
	if o.URL == "" {
		return nil, fmt.Errorf("destination %q: url is missing; write it as https://host/path", o.Name)
	}
	if err := CheckURL(o.URL, o.AllowPrivate); err != nil {
		return nil, fmt.Errorf("destination %q: url %w", o.Name, err)
	}
	if err := checkSecret("write_key", o.WriteKey, "copy it from the endpoint's own settings"); err != nil {
		return nil, fmt.Errorf("destination %q: %w", o.Name, err)
	}
	if problems := o.Consent.Problems(); len(problems) > 0 {
		return nil, fmt.Errorf("destination %q: %w", o.Name, problems[0])
	}
	if o.Timeout < 0 || o.Budget < 0 {
		return nil, fmt.Errorf("destination %q: timeout and budget must not be negative", o.Name)
	}
	if err := checkRate(o.Rate); err != nil {
		return nil, fmt.Errorf("destination %q: %w", o.Name, err)
	}
	c, err := newClient(clientOptions{
		kind: "segment", name: o.Name, secret: o.WriteKey, rate: o.Rate, endpoints: []string{"batch"},
		transport: transportOptions{
			url: o.URL, allowPrivate: o.AllowPrivate, parallel: 1,
			timeout: cmp.Or(o.Timeout, defaultTimeout), custom: o.Transport,
		},
		logger: o.Logger, registerer: o.Registerer, now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	return &Segment{
		name: o.Name,
		url:  strings.TrimSuffix(trimURL(o.URL), batchPath) + batchPath,
		header: http.Header{
			"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(o.WriteKey+":"))},
		},
		consent: o.Consent,
		budget:  cmp.Or(o.Budget, defaultBudget),
		client:  c,
	}, nil
}

// Name implements delivery.Destination.
func (s *Segment) Name() string { return s.name }

// Deliver implements delivery.Destination. A batch that the endpoint refuses is
// halved until the events are found that it refuses by themselves. However long
// that takes, a delivery goes on until something is decided.
func (s *Segment) Deliver(ctx context.Context, batch []event.Event) []delivery.Outcome {
	calling, stop := withGrace(ctx, grace)
	defer stop()
	turn, end := context.WithTimeout(ctx, s.budget)
	defer end()

	r := newRelay(batch)
	var wanted []int
	var items []json.RawMessage
	for i, e := range batch {
		if reason := s.unwanted(e); reason != "" {
			r.outcomes[i] = delivery.Skipped(reason)
			continue
		}
		wanted = append(wanted, i)
		items = append(items, segmentItem(e))
		r.items[i] = items[len(items)-1]
	}
	for _, n := range batches(items) {
		r.pending = append(r.pending, wanted[:n])
		wanted = wanted[n:]
	}
	decided := false
	for run := r.next(); run != nil; run = r.next() {
		begin := turn
		if !decided {
			begin = ctx // something is decided, however long it takes
		}
		waited := s.client.pace.wait(begin, 1)
		switch {
		case ctx.Err() != nil:
			r.stop(run, delivery.Unavailable(delivery.ReasonStopping, context.Cause(ctx), 0))
		case waited != nil:
			r.stop(run, delivery.Behind())
		default:
			decided = s.post(calling, r, run) || decided
		}
	}
	return r.outcomes
}

// unwanted returns why the event must not be sent, or "".
func (s *Segment) unwanted(e event.Event) delivery.Reason {
	switch {
	case !s.consent.given(e):
		return delivery.ReasonConsent
	case !enabled(e, s.name):
		return delivery.ReasonIntegrations
	default:
		return ""
	}
}

// post sends the events of a run in one request. It decides what became of
// them, or puts the run back as halves.
func (s *Segment) post(ctx context.Context, r *relay, run []int) (decided bool) {
	items := make([]json.RawMessage, len(run))
	for n, i := range run {
		items[n] = r.items[i]
	}
	sentAt := s.client.now()
	a, made := s.client.do(ctx, call{
		method:   http.MethodPost,
		url:      s.url,
		endpoint: "batch",
		header:   s.header,
		body:     segmentBatch(items, sentAt),
	})
	a.samePath = true

	verdict := judge(a, s.client.now())
	if verdict.Status() == delivery.StatusDead && len(run) > 1 {
		r.split(run)
		return false
	}
	for _, i := range run {
		// Each event keeps its own part of the request, not that of all others.
		own := made
		own.Request = segmentBatch([]json.RawMessage{r.items[i]}, sentAt)
		r.outcomes[i] = judge(a, s.client.now(), own)
		if verdict.Status() == delivery.StatusDelivered {
			s.client.metrics.latency.Observe(made.At.Sub(r.batch[i].ReceivedAt).Seconds())
		}
	}
	switch {
	case verdict.Unavailable():
		r.stop(nil, delivery.Unavailable(verdict.Reason(), verdict.Err(), verdict.After()))
	case !verdict.Final():
		r.hold(run)
	}
	return true
}
