package outbound

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/mockvero"
)

func TestUnavailableStopsTheBatch(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault mockvero.Fault
		want  string
		after time.Duration
	}{
		"credentials refused": {mockvero.Fault{Status: 401}, "unavailable credentials_refused", 0},
		"throttled":           {mockvero.Fault{Status: 429, RetryAfter: "3"}, "unavailable throttled", 3 * time.Second},
		"overloaded":          {mockvero.Fault{Status: 503, RetryAfter: "3"}, "unavailable throttled", 3 * time.Second},
		"redirect":            {mockvero.Fault{Status: 301}, "unavailable wrong_url", 0},
		"200 that is none":    {mockvero.Fault{Status: 200, Body: `{"status":403}`}, "unavailable credentials_refused", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mock, v := setup(t, func(o *VeroOptions) { o.Concurrency = 1 })
			mock.Fault(tt.fault)
			outcomes := v.Deliver(t.Context(), []event.Event{
				track(t, "m-1", "1", "A"), track(t, "m-2", "1", "B"), track(t, "m-3", "2", "A"),
			})
			for i, o := range outcomes {
				if verdict(o) != tt.want || o.After() != tt.after {
					t.Errorf("event %d: %s after %s, want %s after %s", i, verdict(o), o.After(), tt.want, tt.after)
				}
				if made := len(o.Calls()); (i == 0) != (made == 1) {
					t.Errorf("event %d made %d calls", i, made)
				}
			}
			if got := len(mock.Calls()); got != 1 {
				t.Errorf("%d calls, want 1", got)
			}
		})
	}
}

// TestRedirectIsNotFollowed: a POST that becomes a GET on the way would look
// like a success.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			var elsewhere atomic.Int32
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/elsewhere" {
					elsewhere.Add(1)
					return
				}
				http.Redirect(w, r, "/elsewhere", status)
			}))
			t.Cleanup(web.Close)
			v := newVero(t, VeroOptions{Name: "vero", URL: web.URL, AuthToken: secret})
			o := v.Deliver(t.Context(), []event.Event{track(t, "m-1", "1", "A")})[0]
			if verdict(o) != "unavailable wrong_url" || elsewhere.Load() != 0 {
				t.Errorf("%s; %d calls to the other place", o.Detail(), elsewhere.Load())
			}
		})
	}
}

// A URL that is wrong must not cost every event its life.
func TestWrongPathPausesTheDestination(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	v := newVero(t, VeroOptions{Name: "vero", URL: web.URL + "/apiv2", AuthToken: secret})
	o := v.Deliver(t.Context(), []event.Event{track(t, "m-1", "1", "A")})[0]
	if verdict(o) != "unavailable wrong_url" {
		t.Error(o.Detail())
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	listener.Close()
	distrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	distrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	distrusted.StartTLS()
	t.Cleanup(distrusted.Close)
	for name, base := range map[string]string{
		"connection refused": "http://" + closed,
		"no such host":       "http://vero.invalid",
		"bad certificate":    distrusted.URL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVero(t, VeroOptions{Name: "vero", URL: base, AuthToken: secret})
			o := v.Deliver(t.Context(), []event.Event{track(t, "m-1", "1", "A")})[0]
			if verdict(o) != "unavailable unreachable" || o.Calls()[0].Error == "" || o.Calls()[0].Status != 0 {
				t.Errorf("%s, calls %+v", o.Detail(), o.Calls())
			}
		})
	}
}

func TestStopping(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := v.Deliver(ctx, []event.Event{track(t, "m-1", "1", "A")})[0]
	if verdict(o) != "unavailable stopping" || len(mock.Calls()) != 0 {
		t.Errorf("%s after %d calls", o.Detail(), len(mock.Calls()))
	}
}

func TestStoppingLetsCallsEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel() // while the call is under way
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(web.Close)
	v := newVero(t, VeroOptions{Name: "vero", URL: web.URL, AuthToken: secret})
	outcomes := v.Deliver(ctx, []event.Event{track(t, "m-1", "1", "A"), track(t, "m-2", "1", "B")})
	if diff := cmp.Diff([]string{"delivered delivered", "unavailable stopping"}, verdicts(outcomes)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestGraceIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calling, stop := withGrace(ctx, grace)
		defer stop()
		cancel()
		began := time.Now()
		synctest.Wait()
		if calling.Err() != nil {
			t.Fatal("calls are cut off at once")
		}
		<-calling.Done()
		if got := time.Since(began); got != grace {
			t.Errorf("calls are cut off after %s, want %s", got, grace)
		}
	})
}
