package ingest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/verobridge/verobridge/ingest"
	"github.com/verobridge/verobridge/internal/event"
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

// read returns the answer to what was sent on a connection.
func read(t *testing.T, conn net.Conn) answer {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Error(err)
		return answer{new(http.Response), ""}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return answer{res, string(body)}
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

// busy is a spool that takes its time with events named "Slow", until it is told
// to go on.
type busy struct {
	memory
	begun, goOn chan struct{}
}

func newBusy() *busy { return &busy{begun: make(chan struct{}), goOn: make(chan struct{})} }

func (b *busy) Append(ctx context.Context, events ...event.Event) error {
	if events[0].Name() == "Slow" {
		b.begun <- struct{}{}
		<-b.goOn
	}
	return b.memory.Append(ctx, events...)
}

// slowly posts an event of some size that the spool takes its time with. It
// returns when the spool has it.
func (b *busy) slowly(t *testing.T, d door, size int) (answered <-chan answer) {
	t.Helper()
	answers := make(chan answer, 1)
	go func() { answers <- d.post(t, "/v1/track", sized("Slow", size)) }()
	<-b.begun
	return answers
}

func sized(name string, size int) string {
	return fmt.Sprintf(`{"event":%q,"userId":"u","properties":{"s":%q}}`, name, strings.Repeat("x", size))
}

// Requests beyond what may be held at once are answered at once, and there is
// room again when the others are gone.
func TestBodiesShareTheirMemory(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	spool := newBusy()
	d := open(t, ingest.Options{MaxBodyBytes: 1 << 20, MaxBufferedBytes: 2 << 20, Registerer: registry, Spool: spool})
	slow := spool.slowly(t, d, 700<<10) // and as much for the event

	large := sized("Large", 400<<10)
	res := d.post(t, "/v1/track", large)
	res.fails(t, http.StatusServiceUnavailable, "overloaded")
	if got := res.Header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After is %q, want 1", got)
	}
	d.post(t, "/v1/track", order).succeeds(t) // what is small still fits

	close(spool.goOn)
	(<-slow).succeeds(t)
	holds(t, registry, 0)
	d.post(t, "/v1/track", large).succeeds(t)
	holds(t, registry, 0)
}

// A client that announces much holds no more than what it sent.
func TestAnnouncedBytesTakeNoMemory(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	d := open(t, ingest.Options{MaxBodyBytes: 1 << 20, MaxBufferedBytes: 3 << 20, Registerer: registry})
	for range 200 {
		d.stall(t, 1<<20, 1)
	}
	holds(t, registry, 200*4<<10)
	body := order[:len(order)-1] + `,"properties":{"s":"` + strings.Repeat("x", 900<<10) + `"}}`
	for range 20 {
		d.post(t, "/v1/track", body).succeeds(t)
	}
}

// envelope is a batch of n small events in an envelope with a context and
// integrations of some size. With own, each event has values of its own for all
// that is in the envelope.
func envelope(n, size int, own bool) string {
	large := `{"x":"` + strings.Repeat("x", size/2) + `"}`
	ours := ""
	if own {
		ours = `,"context":{"x":1},"integrations":{"x":1}`
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{"context":%s,"integrations":%s,"batch":[`, large, large)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"track","event":"e","userId":"u%d"%s}`, i, ours)
	}
	b.WriteString("]}")
	return b.String()
}

// What a batch's envelope says is copied into each event, and counts as often.
// The test is not parallel: it measures what the handler allocates.
func TestEnvelopeIsNotAmplified(t *testing.T) {
	registry := prometheus.NewRegistry()
	d := open(t, ingest.Options{Registerer: registry})
	for name, body := range map[string]string{
		"copied":           envelope(10_000, 1<<20, false),
		"looked through":   envelope(10_000, 1<<20, true),
		"a long sentAt":    `{"sentAt":"` + strings.Repeat("x", 1<<20) + `",` + envelope(1000, 0, false)[1:],
		"at Segment's max": envelope(2500, 32<<10, false),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d.post(t, "/v1/batch", body).fails(t, http.StatusBadRequest, "events_too_large")
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 200 {
			t.Errorf("%s: a body of %d KiB made the handler allocate %d MiB", name, len(body)>>10, got)
		}
		if events := d.spool.take(); len(events) > 0 {
			t.Errorf("%s: %d events were stored", name, len(events))
		}
	}
	// What SDKs send goes through.
	for name, size := range map[string]int{"common": 1 << 10, "large": 5 << 10} {
		d.post(t, "/v1/batch", envelope(2500, size, false)).succeeds(t)
		if got := len(d.spool.take()); got != 2500 {
			t.Errorf("%s context: %d events, want 2500", name, got)
		}
	}
	holds(t, registry, 0)
}

// Events count while they are stored, not only the bodies that they came in.
func TestEventsShareTheMemory(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	spool := newBusy()
	d := open(t, ingest.Options{MaxBodyBytes: 1 << 20, MaxBufferedBytes: 5 << 20, Registerer: registry, Spool: spool})
	body := envelope(100, 35<<10, false) // makes 3.4 MiB of events
	slow := spool.slowly(t, d, 1000<<10)
	d.post(t, "/v1/batch", body).fails(t, http.StatusServiceUnavailable, "overloaded")
	close(spool.goOn)
	(<-slow).succeeds(t)
	d.post(t, "/v1/batch", body).succeeds(t)
	holds(t, registry, 0)
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
	read(t, conn).fails(t, http.StatusServiceUnavailable, "body_too_slow")
}

// While memory is short, those who send much and leave out the end are given up,
// and a client that is quick does not notice them.
func TestBodiesThatNeverEndAreGivenUp(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	d := open(t, ingest.Options{MaxBodyBytes: 1 << 20, MaxBufferedBytes: 5 << 20, Registerer: registry})
	var stalled []net.Conn
	for range 3 {
		stalled = append(stalled, d.stall(t, 1<<20, 1<<20-1))
	}
	phone := d.stall(t, 1<<20, 100)
	holds(t, registry, 3<<20+4<<10)
	given := make(chan answer, 1)
	go func() { given <- read(t, stalled[0]) }()
	for waiting := true; waiting; { // until less than half is held
		d.post(t, "/v1/track", order).succeeds(t)
		select {
		case got := <-given:
			got.fails(t, http.StatusServiceUnavailable, "body_too_slow")
			waiting = false
		case <-time.After(10 * time.Millisecond):
		}
	}
	holds(t, registry, 2<<20+4<<10)
	d.post(t, "/v1/track", order).succeeds(t)
	if _, err := io.WriteString(phone, strings.Repeat(" ", 1000)); err != nil {
		t.Errorf("who sends slowly, and little, was cut off: %v", err)
	}
	holds(t, registry, 2<<20+4<<10)
}

// However fast many large bodies come in that never end, there is room for the
// others, at once.
func TestLargeBodiesGiveWay(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	d := open(t, ingest.Options{MaxBodyBytes: 1 << 20, MaxBufferedBytes: 8 << 20, Registerer: registry})
	for range 40 {
		d.stall(t, 1<<20, 1<<20-1)
		d.post(t, "/v1/track", sized("Small", 100<<10)).succeeds(t)
	}
}
