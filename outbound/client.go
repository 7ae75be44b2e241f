package outbound

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/verobridge/verobridge/internal/delivery"
)

const (
	// maxAnswerBytes is how much of an answer is kept.
	maxAnswerBytes = 1 << 10
	// maxDrainBytes is how much more is read so that the connection can be used
	// again. Beyond it a new connection is cheaper.
	maxDrainBytes = 64 << 10
	// maxHeaderBytes bounds the header of an answer.
	maxHeaderBytes = 64 << 10

	redacted = "[redacted]"
)

// client makes calls to one destination.
type client struct {
	http    *http.Client
	secret  string // redacted from what is kept of answers
	pace    *pace
	metrics *metrics
	logger  *slog.Logger
	now     func() time.Time
}

// clientOptions say how calls to one destination are made.
type clientOptions struct {
	kind, name string // of the destination
	secret     string
	rate       float64
	endpoints  []string // whose calls are counted apart
	transport  transportOptions
	logger     *slog.Logger
	registerer prometheus.Registerer
	now        func() time.Time
}

func newClient(o clientOptions) (client, error) {
	pace := newPace(o.rate)
	m, err := newMetrics(o.registerer, o.kind, o.name, pace, o.endpoints...)
	if err != nil {
		return client{}, err
	}
	if o.now == nil {
		o.now = time.Now
	}
	return client{
		http:    newHTTPClient(o.transport),
		secret:  o.secret,
		pace:    pace,
		metrics: m,
		logger:  cmp.Or(o.logger, slog.New(slog.DiscardHandler)).With("destination", o.name),
		now:     o.now,
	}, nil
}

// call is one request to make.
type call struct {
	method, url string
	endpoint    string // for metrics, one of few
	header      http.Header
	body        []byte // as it goes out
	shown       []byte // as people may see it
}

// do makes a call whose turn it is (pace.wait). It returns the answer, and the
// call as it is kept for people.
func (c *client) do(ctx context.Context, r call) (answer, delivery.Call) {
	started, clock := c.now(), time.Now()
	a := c.roundTrip(ctx, r)
	took := time.Since(clock)
	switch {
	case a.throttled():
		c.pace.tooMany(clock)
	case a.err == nil:
		c.pace.fine()
	}
	c.metrics.observe(r.endpoint, a.status, took)
	c.logger.DebugContext(ctx, "called", "endpoint", r.endpoint, "status", a.status, "took", took)

	made := delivery.Call{
		Method:  r.method,
		URL:     r.url,
		Request: r.shown,
		Status:  a.status,
		Answer:  string(a.body),
		At:      started.UTC(),
	}
	if a.err != nil {
		made.Error = a.err.Error()
	}
	return a, made
}

func (c *client) roundTrip(ctx context.Context, r call) answer {
	// The transport writes from a goroutine of its own.
	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { written.Store(info.Err == nil) },
	})
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return answer{err: err}
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "verobridge")
	// Our calls may be repeated. This key without a value is never sent; it
	// tells net/http to try again at once when the server has just closed the
	// idle connection that was to be used.
	req.Header["Idempotency-Key"] = nil

	res, err := c.http.Do(req)
	if err != nil {
		return answer{err: cause(err), written: written.Load()}
	}
	defer res.Body.Close()
	// The status is the verdict. A body that breaks off takes nothing from it.
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes))
	_, _ = io.CopyN(io.Discard, res.Body, maxDrainBytes)
	return answer{
		status:     res.StatusCode,
		retryAfter: res.Header.Get("Retry-After"),
		date:       res.Header.Get("Date"),
		body:       c.presentable(body),
	}
}

// presentable returns an answer as it is kept: without the secret, of which the
// bound may have left the beginning, and without the bytes that Postgres cannot
// keep as text.
func (c *client) presentable(body []byte) []byte {
	full := len(body) == maxAnswerBytes
	body = bytes.ReplaceAll(body, []byte(c.secret), []byte(redacted))
	for n := len(c.secret) - 1; full && n > 0; n-- {
		if cut, found := bytes.CutSuffix(body, []byte(c.secret[:n])); found {
			body = append(cut, redacted...)
			break
		}
	}
	body = bytes.ReplaceAll(body, []byte{0}, []byte("\uFFFD"))
	return bytes.ToValidUTF8(body, []byte("\uFFFD"))
}

// cause drops the method and the URL from a transport's error. The call has
// both already.
func cause(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// transportOptions say how calls to one base URL are made.
type transportOptions struct {
	url          string
	allowPrivate bool
	parallel     int
	timeout      time.Duration
	// proxy names the proxy of a request. Defaults to http.ProxyFromEnvironment.
	proxy func(*http.Request) (*url.URL, error)
	// custom makes the calls instead of a transport of our own.
	custom http.RoundTripper
}

// newHTTPClient returns a client that keeps as many connections open as there
// are calls in parallel, and follows no redirect: a POST that becomes a GET on
// the way would be a success without an effect.
func newHTTPClient(o transportOptions) *http.Client {
	transport := o.custom
	if o.proxy == nil {
		o.proxy = http.ProxyFromEnvironment
	}
	if transport == nil {
		dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
		if !o.allowPrivate && !proxied(o.url, o.proxy) {
			dialer.Control = refusePrivate
		}
		transport = &http.Transport{
			Proxy:                  o.proxy,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           o.parallel,
			MaxIdleConnsPerHost:    o.parallel,
			IdleConnTimeout:        50 * time.Second, // below the 60 s of common load balancers
			ResponseHeaderTimeout:  o.timeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
		}
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       o.timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
