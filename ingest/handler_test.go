package ingest_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/verobridge/verobridge/ingest"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/sdktest"
)

// appendFunc is a spool made of one function.
type appendFunc func(ctx context.Context, events ...event.Event) error

func (f appendFunc) Append(ctx context.Context, events ...event.Event) error {
	return f(ctx, events...)
}

// A client that hangs up after sending still means its events.
func TestClientHangsUp(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	stored := make(chan error, 1)
	handler, err := ingest.NewHandler(ingest.Options{Sources: testSources, Spool: appendFunc(func(ctx context.Context, _ ...event.Event) error {
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
		}
		stored <- ctx.Err()
		return ctx.Err()
	})})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		context.AfterFunc(r.Context(), func() { close(gone) })
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	request := sdktest.Captured(t, "testdata/wire/go-v3.3.0-all-types-01.http")
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-stored; err != nil {
		t.Errorf("the events were dropped with their client: %v", err)
	}
	select {
	case <-gone:
	default:
		t.Error("the server never saw the client go")
	}
}

// The answer comes before the most impatient SDK gives up, after 8 seconds.
func TestAppendIsBounded(t *testing.T) {
	t.Parallel()
	var left time.Duration
	d := open(t, ingest.Options{Spool: appendFunc(func(ctx context.Context, _ ...event.Event) error {
		deadline, ok := ctx.Deadline()
		if !ok {
			return nil
		}
		left = time.Until(deadline)
		return context.DeadlineExceeded
	})})
	d.post(t, "/v1/t", order).fails(t, http.StatusServiceUnavailable, "not_stored")
	if left <= 0 || left > 6*time.Second {
		t.Errorf("Append may take %v", left)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	d := open(t, ingest.Options{Registerer: registry})
	d.post(t, "/v1/batch", `{"batch":[`+order+`,`+order+`,{"type":"track","event":"x"}]}`).succeeds(t)
	d.do(t, http.MethodPost, "/v1/batch", `{"batch":[]}`)
	d.do(t, http.MethodPost, veroHook, `{"type":"user_created","user":{"id":1}}`).succeeds(t)

	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`verobridge_ingest_events_total{source="app",type="track"} 2`,
		`verobridge_ingest_events_total{source="app",type="alias"} 0`,
		`verobridge_ingest_events_total{source="vero",type="identify"} 1`,
		`verobridge_ingest_rejected_total{reason="no_identity",source="app"} 1`,
		`verobridge_ingest_rejected_total{reason="unknown_type",source="app"} 0`,
		`verobridge_ingest_requests_total{code="200"} 2`,
		`verobridge_ingest_requests_total{code="401"} 1`,
		`verobridge_ingest_request_duration_seconds_count 3`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("metrics lack %s", want)
		}
	}
	if _, err := ingest.NewHandler(ingest.Options{Sources: testSources, Spool: &memory{}, Registerer: registry}); err == nil {
		t.Error("two handlers share one registry without an error")
	}
}

// No secret and no address of a person reaches the log.
func TestLogIsClean(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := open(t, ingest.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	const who = `"userId":"u","event":"x","traits":{"email":"jane@example.com"}`
	d.do(t, http.MethodPost, "/v1/t?writeKey=wk_secret", `{"writeKey":"wk_secret",`+who+`}`, "Authorization", basic("wk_secret:"))
	d.do(t, http.MethodPost, "/webhooks/vero/wk_secret", `{"user":{"email":"jane@example.com"}}`)
	d.do(t, http.MethodPost, "/webhooks/nobody/wk_secret", ``)
	d.do(t, http.MethodGet, "/v1/pixel/track?writeKey=wk_secret&traits.email=jane@example.com", ``)
	d.spool.err = errDiskFull
	d.post(t, "/v1/t", `{`+who+`}`)
	d.do(t, http.MethodPost, veroHook, `{"type":"sent","user":{"email":"jane@example.com"}}`)
	d.Close() // no handler writes any more

	text := log.String()
	for _, secret := range []string{"wk_secret", "wk_test", "wk_vero", "jane", "d2t"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log holds %s:\n%s", secret, text)
		}
	}
	if got := strings.Count(text, "level=ERROR"); got != 2 {
		t.Errorf("%d errors are logged, want the 2 of the spool:\n%s", got, text)
	}
	if !strings.Contains(text, `route=/webhooks/vero/{writeKey}`) {
		t.Errorf("the log does not name the route:\n%s", text)
	}
}
