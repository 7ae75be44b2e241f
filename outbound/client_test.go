package outbound

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf8"

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

func TestAnswersAreBoundedAndRedacted(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, "bad: %s\x00\xff ", body)
		_, _ = io.WriteString(w, strings.Repeat(secret, 1000))
	}))
	web.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	web.Start()
	t.Cleanup(web.Close)
	var logs safeBuffer
	v := newVero(t, VeroOptions{
		Name: "vero", URL: web.URL, AuthToken: secret,
		Logger: slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	outcomes := v.Deliver(t.Context(), []event.Event{
		accept(t, `{"type":"identify","userId":"1","traits":{"email":"jane@example.com"}}`),
		track(t, "m-2", "1", "A"), track(t, "m-3", "1", "A"),
	})
	for _, o := range outcomes {
		kept, err := json.Marshal(o.Calls())
		if err != nil {
			t.Fatal(err)
		}
		if everything := string(kept) + o.Detail(); strings.Contains(everything, secret[:6]) {
			t.Errorf("the token is kept: %s", everything)
		}
		a := o.Calls()[0].Answer
		if len(a) > 2*maxAnswerBytes || !strings.Contains(a, redacted) || strings.Contains(a, "\x00") || !utf8.ValidString(a) {
			t.Errorf("answer kept, %d bytes: %q", len(a), a)
		}
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("%d connections, want 1: answers are drained", got)
	}
	if s := logs.String(); strings.Contains(s, secret) || strings.Contains(s, "jane@") || !strings.Contains(s, "endpoint=users/track") {
		t.Errorf("log: %s", s)
	}
}

// safeBuffer is a buffer that goroutines share.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
