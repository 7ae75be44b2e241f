package outbound

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	const parallel, rounds = 16, 20
	var opened atomic.Int32
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":200}`)
	}))
	web.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	web.Start()
	t.Cleanup(web.Close)
	v := newVero(t, VeroOptions{Name: "vero", URL: web.URL, AuthToken: secret, Concurrency: parallel})
	batch, _ := people(t, 4*parallel)
	for range rounds {
		v.Deliver(t.Context(), batch)
	}
	// net/http may open one that it turns out not to need.
	if got := opened.Load(); got > 2*parallel {
		t.Errorf("%d connections for %d calls, %d at once", got, rounds*len(batch), parallel)
	}
}

// TestClosedIdleConnection states that a server which closes a connection that
// we were about to use again costs no retry.
func TestClosedIdleConnection(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	used := make(map[string]bool)
	aborted := 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		again := used[r.RemoteAddr]
		used[r.RemoteAddr] = true
		if again {
			aborted++
		}
		mu.Unlock()
		if again {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, `{"status":200}`)
	}))
	t.Cleanup(web.Close)
	v := newVero(t, VeroOptions{Name: "vero", URL: web.URL, AuthToken: secret})
	for n := range 3 {
		o := v.Deliver(t.Context(), []event.Event{track(t, fmt.Sprintf("m-%d", n), "1", "A")})[0]
		if o.Status() != delivery.StatusDelivered {
			t.Errorf("call %d: %s", n, o.Detail())
		}
	}
	if aborted == 0 {
		t.Error("no connection was used again")
	}
}
