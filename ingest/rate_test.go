package ingest_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verobridge/verobridge/ingest"
)

// calls returns a batch of n events.
func calls(n int) string {
	return `{"batch":[` + strings.TrimSuffix(strings.Repeat(order+",", n), ",") + `]}`
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(receivedAt.UnixNano())
	later := func(by time.Duration) { clock.Add(int64(by)) }
	d := open(t, ingest.Options{
		Now: func() time.Time { return time.Unix(0, clock.Load()) },
		Sources: []ingest.Source{
			{Name: "app", WriteKeys: []string{"wk_test", "wk_rotated"}, RateLimit: 10},
			{Name: "free", WriteKeys: []string{"wk_free"}},
		},
	})
	limited := func(wait string) {
		t.Helper()
		res := d.post(t, "/v1/batch", calls(1), "Origin", "https://www.example.com")
		res.fails(t, http.StatusTooManyRequests, "rate_limited")
		for _, header := range []string{"Retry-After", "X-RateLimit-Reset"} {
			if got := res.Header.Get(header); got != wait {
				t.Errorf("%s is %q, want %q", header, got, wait)
			}
		}
		if got := res.Header.Get("Access-Control-Expose-Headers"); got != "Retry-After, X-RateLimit-Reset" {
			t.Errorf("pages may read %q", got)
		}
	}
	d.post(t, "/v1/batch", calls(9)).succeeds(t)
	d.post(t, "/v1/track", order).succeeds(t)
	limited("1")
	d.post(t, "/v1/batch", `{"batch":[]}`).succeeds(t) // costs nothing

	// Other keys, of the same source and of others, are not affected.
	d.do(t, http.MethodPost, "/v1/batch", calls(10), "Authorization", basic("wk_rotated:")).succeeds(t)
	d.do(t, http.MethodPost, "/v1/batch", calls(1000), "Authorization", basic("wk_free:")).succeeds(t)

	// A batch above the burst is let through and paid off afterwards.
	later(time.Second)
	d.post(t, "/v1/batch", calls(35)).succeeds(t)
	limited("3")
	later(2 * time.Second)
	limited("1")
	later(600 * time.Millisecond)
	d.post(t, "/v1/batch", calls(1)).succeeds(t)

	// However large the debt, nobody is told to wait for long.
	later(time.Second)
	d.post(t, "/v1/batch", calls(9000)).succeeds(t)
	limited("10")
}

// Over time a key gets the rate of its source, whatever the size of its
// batches.
func TestRateLimitOverTime(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 7, 100, 999} {
		now := receivedAt
		d := open(t, ingest.Options{
			Now:     func() time.Time { return now },
			Sources: []ingest.Source{{Name: "app", WriteKeys: []string{"wk_test"}, RateLimit: 50}},
		})
		const seconds, requests = 20, 20
		for range seconds * requests {
			d.post(t, "/v1/batch", calls(size))
			now = now.Add(time.Second / requests)
		}
		want := min(50, requests*size) * seconds
		if got := len(d.spool.take()); got < want-size || got > want+50+size {
			t.Errorf("batches of %d: %d events in %d seconds, want about %d", size, got, seconds, want)
		}
	}
}
