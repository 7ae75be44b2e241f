package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/verobridge/verobridge/internal/event"
)

// Appender keeps events for good.
type Appender interface {
	// Append returns nil when the events are durable: they survive a crash.
	// After an error the client is told to send them again.
	Append(ctx context.Context, events ...event.Event) error
}

// Source is one sender of events.
type Source struct {
	// Name is the source's name in the settings, and on its events.
	Name string
	// Vero opens the webhook endpoint for the source's write keys.
	Vero bool
	// WriteKeys open the source. Several let a key be rotated with an overlap.
	WriteKeys []string
	// Origins are the web origins that may use the write keys from a browser,
	// such as "https://www.example.com", or "*" for all. Defaults to all.
	// Requests without an Origin header do not come from a browser's page and
	// are not affected, unless the source is a Browser.
	Origins []string
	// Browser says that everybody can read the write keys, because they are in
	// pages or apps. Such a source needs Origins, and a request must name one of
	// them in its Origin or Referer header.
	Browser bool
	// RateLimit is how many events per second each write key may send on
	// average. Defaults to 0, no limit.
	RateLimit float64
	// Disabled refuses everything that comes with the source's write keys.
	Disabled bool
}

// Options configures NewHandler.
type Options struct {
	// Sources are who may send. At least one is needed.
	Sources []Source
	// Spool keeps what was accepted. Needed.
	Spool Appender
	// MaxBodyBytes bounds a request body, before and after decompression.
	// Defaults to 4 MiB: SDKs are known to send 3.6 MB in a batch.
	MaxBodyBytes int64
	// MaxBufferedBytes bounds the bytes of all bodies that are held at once, as
	// decompressed, and of the events made of them; the memory they take until
	// they are stored is about twice that. Requests beyond it are told to come
	// again. It should be at least five times MaxBodyBytes: a body, and the most
	// that its events may take. Defaults to 32 times MaxBodyBytes.
	MaxBufferedBytes int64
	// PublicURL is where SDKs reach this handler, such as
	// "https://events.example.com"; the settings document sends them there.
	// Defaults to the scheme and host of each request. Set it where a proxy
	// ends TLS or changes the Host header.
	PublicURL string
	// AnalyticsDir is a folder with the files of dist/umd of the npm package
	// @segment/analytics-next, to serve the browser SDK. Defaults to "", not
	// served.
	AnalyticsDir string
	// Logger defaults to none.
	Logger *slog.Logger
	// Registerer takes the metrics. Defaults to none.
	Registerer prometheus.Registerer
	// Refusals remembers which requests were refused as a whole. Defaults to
	// nobody.
	Refusals *Refusals
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

const (
	defaultMaxBodyBytes = 4 << 20
	// defaultBodies is how many bodies of the largest size are held at once.
	defaultBodies = 32
	// maxEvents bounds a batch. Segment documents 2,500; analytics-go has been
	// seen to send 3,625.
	maxEvents = 10_000
	// maxGrowth bounds the events of a request, as they are kept, by that many
	// times the largest body. Each has the envelope's context and integrations:
	// without a bound, a megabyte that arrives once would be stored 10,000 times.
	// The 2,500 events that Segment documents fit into the default of 16 MiB with
	// 6 KB of them.
	maxGrowth = 4
	// appendTimeout leaves room below the shortest client timeout, 8 seconds
	// (analytics-ruby).
	appendTimeout = 5 * time.Second
)

// handler is everything that the endpoints share.
type handler struct {
	keys    keyring
	spool   Appender
	maxBody int64
	memory  *budget
	public  *url.URL // nil: as each request says
	bundle  *bundle  // nil: not served
	log     *slog.Logger
	metrics *metrics
	now     func() time.Time

	refusals *Refusals // nil: nobody remembers

	router http.Handler
}

// NewHandler returns the public HTTP API. An error says which setting is wrong
// and what to do about it.
func NewHandler(o Options) (http.Handler, error) {
	if o.Spool == nil {
		return nil, errors.New("ingest needs a spool")
	}
	keys, err := newKeyring(o.Sources)
	if err != nil {
		return nil, err
	}
	h := &handler{
		keys:    keys,
		spool:   o.Spool,
		maxBody: cmp.Or(o.MaxBodyBytes, defaultMaxBodyBytes),
		log:     o.Logger,
		now:     o.Now,

		refusals: o.Refusals,
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.now == nil {
		h.now = time.Now
	}
	if o.PublicURL != "" {
		h.public, err = url.Parse(o.PublicURL)
		if err != nil || h.public.Host == "" || h.public.Scheme != "http" && h.public.Scheme != "https" {
			return nil, fmt.Errorf("public URL %q is not usable; write it like https://events.example.com", o.PublicURL)
		}
	}
	if o.AnalyticsDir != "" {
		if h.bundle, err = openBundle(o.AnalyticsDir); err != nil {
			return nil, err
		}
	}
	if h.metrics, err = newMetrics(o.Registerer, o.Sources); err != nil {
		return nil, err
	}
	h.memory = newBudget(cmp.Or(o.MaxBufferedBytes, defaultBodies*h.maxBody), h.metrics.buffered)
	h.router = h.routes()
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := h.now()
	observed := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	allowOrigin(observed.Header(), r)
	if r.Method == http.MethodOptions {
		preflight(observed, r)
	} else {
		h.router.ServeHTTP(observed, withCanonicalPath(r))
	}
	h.metrics.request(observed.status, h.now().Sub(begun))
}

// item is one call of a request, on its way to becoming an event.
type item struct {
	// raw is the call to judge, and what is kept if it is refused, unless
	// original says otherwise.
	raw string
	// original is what the client sent, where raw was made from it.
	original string
	stamp    event.Stamp
	// refused is why the call must not be accepted, whatever it says.
	refused *event.RejectError
}

// event judges the item: it is accepted, or it is kept as refused.
func (i item) event() event.Event {
	refused := i.refused
	if refused == nil {
		e, err := event.New(i.raw, i.stamp)
		if !errors.As(err, &refused) {
			return e
		}
	}
	return event.Reject([]byte(cmp.Or(i.original, i.raw)), i.stamp, refused)
}

// store charges the items to the write key that they came with, judges each by
// itself and makes all of them durable at once.
func (h *handler) store(ctx context.Context, from *credential, items []item, held *share) error {
	if len(items) == 0 {
		return nil
	}
	if err := from.take(len(items), h.now()); err != nil {
		return err
	}
	events, err := h.build(items, held)
	if err != nil {
		return err
	}
	// A client that hangs up after sending, such as analytics-php's socket
	// consumer, still means its events.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
	defer cancel()
	if err := h.spool.Append(ctx, events...); err != nil {
		return notStored(err)
	}
	h.metrics.stored(events)
	return nil
}

// build makes the events of a request. What they take is counted as it grows, so
// that no more than one event is built beyond a bound.
func (h *handler) build(items []item, held *share) ([]event.Event, error) {
	events := make([]event.Event, len(items))
	var built int64
	for i := range items {
		events[i] = items[i].event()
		bytes := int64(cap(events[i].Body))
		if built += bytes; built > maxGrowth*h.maxBody {
			return nil, errGrown
		}
		if err := held.take(bytes); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// stamp says what the server knows of a request's calls.
func (h *handler) stamp(r *http.Request, s *Source, channel string) event.Stamp {
	return event.Stamp{Source: s.Name, ReceivedAt: h.now().UTC(), Channel: channel, IP: callerIP(r)}
}

// callerIP is the address at the other end of the connection. What proxies
// claim in headers is not believed.
func callerIP(r *http.Request) string {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return addr.Addr().Unmap().WithZone("").String()
}
