package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/verobridge/verobridge/internal/sdktest"
)

// The SDKs for Node.js deliver all their calls, once each, also where the first
// request is answered 503.
func TestNodeSDKs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, sdk := range sdktest.NodeSDKs() {
		for name, failures := range map[string]int32{"delivers": 0, "delivers after a 503": 1} {
			t.Run(sdk+" "+name, func(t *testing.T) {
				door, seen := unsteady(t, w.url, failures)
				userID := fmt.Sprintf("%s-%d", sdk, failures)
				sdktest.Send(t, sdk, door, appKey, userID)
				if n := seen.Load(); n <= failures {
					t.Errorf("the SDK sent %d requests and %d of them failed", n, failures)
				}
				w.awaitSixCalls(t, "app", userID)
				w.checkNodeRows(t, sdk, userID)
			})
		}
	}
}

// unsteady is a way to the bridge whose first requests are answered 503, as the
// bridge answers when its spool is not available.
func unsteady(t *testing.T, to string, failures int32) (address string, seen *atomic.Int32) {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	seen = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if seen.Add(1) <= failures {
			w.Header().Set("Retry-After", "1")
			http.Error(w, `{"success":false,"error":"e","code":"not_stored","message":"m"}`, http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, seen
}

// checkNodeRows looks at what the calls of sdktest.Send say.
func (w *world) checkNodeRows(t *testing.T, sdk, userID string) {
	t.Helper()
	for query, want := range map[string]string{
		`select email || ' ' || plan from app.identifies where user_id = $1`:                                                                userID + "@example.com pro",
		`select event || ' ' || event_text from app.tracks where user_id = $1`:                                                              "order_completed Order Completed",
		`select order_id || ' ' || total from app.order_completed where user_id = $1`:                                                       "o-1 9.99",
		`select name from app.pages where user_id = $1`:                                                                                     "Home",
		`select name from app.screens where user_id = $1`:                                                                                   "Main",
		`select group_id || ' ' || name from app.groups where user_id = $1`:                                                                 "g1 Acme",
		`select previous_id from app.aliases where user_id = $1`:                                                                            "old-" + userID,
		`select (sent_at is not null and abs(extract(epoch from received_at - "timestamp")) < 60)::text from app.tracks where user_id = $1`: "true",
	} {
		if got := w.text(t, query, userID); got != want {
			t.Errorf("%s: %s gives %q, want %q", sdk, query, got, want)
		}
	}
	library := map[string]string{"node-3": "@segment/analytics-node 3.1.0", "node-2": "@segment/analytics-node 2.3.0", "node-1": "@segment/analytics-node 1.3.0", "node-classic": "analytics-node 6.2.0"}
	if got := w.text(t, `select context_library_name || ' ' || context_library_version from app.tracks where user_id = $1`, userID); got != library[sdk] {
		t.Errorf("the library of %s is %q, want %q", sdk, got, library[sdk])
	}
}
