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

	"github.com/prometheus/client_golang/prometheus"

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

// holds waits until the bodies that are held have so many bytes.
func holds(t *testing.T, registry *prometheus.Registry, bytes float64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		held := -1.0
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == "verobridge_ingest_buffered_bytes" {
				held = family.GetMetric()[0].GetGauge().GetValue()
			}
		}
		switch {
		case held == bytes:
			return
		case time.Now().After(deadline):
			t.Fatalf("%v bytes are held, want %v", held, bytes)
		}
		<-time.After(time.Millisecond)
	}
}

// Requests beyond what may be held at once are answered at once, and there is
// room again when the others are gone.
func TestBodiesShareTheirMemory(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	d := open(t, ingest.Options{MaxBodyBytes: 1 << 20, MaxBufferedBytes: 2 << 20, Registerer: registry})
	large := order[:len(order)-1] + `,"properties":{"s":"` + strings.Repeat("x", 200<<10) + `"}}`
	first, second := d.stall(t, 1<<20, 1<<20-1), d.stall(t, 1<<20, 1<<20-64<<10)
	holds(t, registry, 2<<20-64<<10)

	res := d.post(t, "/v1/track", large)
	res.fails(t, http.StatusServiceUnavailable, "overloaded")
	if got := res.Header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After is %q, want 1", got)
	}
	d.post(t, "/v1/track", order).succeeds(t) // what is small still fits

	first.Close()
	holds(t, registry, 1<<20-64<<10)
	d.post(t, "/v1/track", large).succeeds(t)
	second.Close()
	holds(t, registry, 0)
}

// A client that announces much holds no more than what it sent.
func TestAnnouncedBytesTakeNoMemory(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	d := open(t, ingest.Options{MaxBodyBytes: 1 << 20, MaxBufferedBytes: 2 << 20, Registerer: registry})
	for range 200 {
		d.stall(t, 1<<20, 1)
	}
	holds(t, registry, 200*4<<10)
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
