package ingest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/ingest"
)

// stall sends the start of a request and leaves it at that.
func (d door) stall(t *testing.T, announced, sent int) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", d.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	head := fmt.Sprintf("POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", announced)
	if _, err := io.WriteString(conn, head+strings.Repeat(" ", sent)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// becomes posts a body until the answer has the status.
func (d door) becomes(t *testing.T, status int, body string) answer {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		res := d.post(t, "/v1/track", body)
		if res.StatusCode == status {
			return res
		}
		if time.Now().After(deadline) {
			t.Fatalf("answer is still %d %s, want %d", res.StatusCode, res.body, status)
		}
	}
}

// Requests beyond what may be held at once are answered at once, and there is
// room again when the others are gone.
func TestBodiesShareTheirMemory(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{MaxBodyBytes: 1 << 20, MaxBufferedBytes: 2 << 20})
	large := order[:len(order)-1] + `,"properties":{"s":"` + strings.Repeat("x", 200<<10) + `"}}`
	first, second := d.stall(t, 1<<20, 1<<20-1), d.stall(t, 1<<20, 1<<20-64<<10)

	res := d.becomes(t, http.StatusServiceUnavailable, large)
	res.fails(t, http.StatusServiceUnavailable, "overloaded")
	if got := res.Header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After is %q, want 1", got)
	}
	d.post(t, "/v1/track", order).succeeds(t) // what is small still fits

	first.Close()
	d.becomes(t, http.StatusOK, large)
	second.Close()
}

// A client that announces much holds no more than what it sent.
func TestAnnouncedBytesTakeNoMemory(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{MaxBodyBytes: 1 << 20, MaxBufferedBytes: 2 << 20})
	for range 200 {
		d.stall(t, 1<<20, 1)
	}
	body := order[:len(order)-1] + `,"properties":{"s":"` + strings.Repeat("x", 900<<10) + `"}}`
	for range 20 {
		d.post(t, "/v1/track", body).succeeds(t)
	}
}

// A body that does not arrive in time is no reason to drop it: the client is
// told to send it again.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	handler, err := ingest.NewHandler(ingest.Options{Sources: testSources, Spool: &memory{}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.ReadTimeout = 100 * time.Millisecond
	srv.Start()
	t.Cleanup(srv.Close)
	conn := door{Server: srv}.stall(t, 1000, 10)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer{res, string(body)}.fails(t, http.StatusServiceUnavailable, "body_too_slow")
}
