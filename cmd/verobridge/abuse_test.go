package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// siege is what somebody does who wants the bridge to fall over.
type siege struct {
	address string
	client  *http.Client

	mu       sync.Mutex
	answers  map[string]map[int]int // how often, by attack and status
	stopping context.Context
	workers  sync.WaitGroup
}

// repeat posts a body again and again.
func (s *siege) repeat(name, path, key, encoding string, body []byte) {
	s.workers.Go(func() {
		for s.stopping.Err() == nil {
			request, err := http.NewRequestWithContext(s.stopping, http.MethodPost, "http://"+s.address+path, bytes.NewReader(body))
			if err != nil {
				panic(err) // of this test's own making
			}
			request.SetBasicAuth(key, "")
			request.Header.Set("Content-Encoding", encoding)
			answer, err := s.client.Do(request)
			if err != nil {
				continue
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			s.mu.Lock()
			if s.answers[name] == nil {
				s.answers[name] = make(map[int]int)
			}
			s.answers[name][answer.StatusCode]++
			s.mu.Unlock()
		}
	})
}

// hold opens connections that send the beginning of a request and then nothing.
func (s *siege) hold(t *testing.T, connections int, start string) []net.Conn {
	t.Helper()
	var dialer net.Dialer
	held := make([]net.Conn, connections)
	for i := range held {
		conn, err := dialer.DialContext(t.Context(), "tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, start); err != nil {
			t.Fatal(err)
		}
		held[i] = conn
	}
	return held
}

// Under slow clients, bombs and floods the bridge answers everybody else, each
// within a stated time, and in stated memory. The test is not parallel: it
// measures the memory of the process, which holds the attackers too.
func TestSiege(t *testing.T) {
	const (
		requests  = 60
		mostTime  = 5 * time.Second // for one answer, with two cores for all of this
		mostHeap  = 512 << 20
		floodRate = 2
	)
	s := testSettings(t, serve(t, mockvero.New(mockvero.Options{AuthToken: veroToken})))
	s.Sources = append(s.Sources, sourceSettings{Name: "flood", WriteKeys: []string{"flood-key"}, RateLimit: floodRate})
	b := startTestBridge(t, s, slog.New(slog.DiscardHandler))
	w := &world{bridge: b, db: connect(t, s.Warehouse.URL), url: "http://" + b.publicAddr}
	w.post(t, "/v1/track", appKey, []byte(`{"messageId":"before","userId":"u","event":"Sent"}`))

	stopping, stop := context.WithCancel(t.Context())
	attackers := &siege{
		address: b.publicAddr, answers: make(map[string]map[int]int), stopping: stopping,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
	}
	slow := attackers.hold(t, 500, "POST /v1/batch HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	attackers.hold(t, 500, "POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n{")
	attackers.hold(t, 12, "POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n"+strings.Repeat(" ", 4<<20-1))
	gigabyte, fields := bomb(t), millionKeys()
	for range 2 {
		attackers.repeat("gzip bomb", "/v1/batch", appKey, "gzip", gigabyte)
		attackers.repeat("deep JSON", "/v1/batch", appKey, "", []byte(strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)))
		attackers.repeat("a million keys", "/v1/track", "nobody", "", fields)
		attackers.repeat("flood", "/v1/track", "flood-key", "", []byte(`{"userId":"u","event":"Flood"}`))
	}

	var heap atomic.Uint64
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for stopping.Err() == nil {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			heap.Store(max(heap.Load(), m.HeapInuse))
			<-ticker.C
		}
	}()
	var slowest time.Duration
	for i := range requests {
		sent := time.Now()
		w.post(t, "/v1/batch", appKey, fmt.Appendf(nil, `{"batch":[{"type":"track","messageId":"honest-%d","userId":"u","event":"Sent"}]}`, i))
		slowest = max(slowest, time.Since(sent))
	}
	stop()
	attackers.workers.Wait()
	<-watched

	t.Logf("slowest answer %s, at most %d MiB of heap, answers to the attackers: %v", slowest, heap.Load()>>20, attackers.answers)
	if slowest > mostTime {
		t.Errorf("an answer took %s, want at most %s", slowest, mostTime)
	}
	if heap.Load() > mostHeap {
		t.Errorf("%d MiB of heap were in use, want at most %d", heap.Load()>>20, mostHeap>>20)
	}
	for name, status := range map[string]int{
		"gzip bomb": http.StatusBadRequest, "deep JSON": http.StatusBadRequest, "a million keys": http.StatusUnauthorized, "flood": http.StatusTooManyRequests,
	} {
		if attackers.answers[name][status] == 0 {
			t.Errorf("%s: nobody was answered %d but %v", name, status, attackers.answers[name])
		}
	}
	w.await(t, "every honest event", `select count(*) = $1 from app.tracks where id like 'honest-%'`, requests)

	// Who is slow with the headers is not waited for.
	for _, conn := range slow[:10] {
		if err := conn.SetReadDeadline(time.Now().Add(4 * headerTimeout)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a connection without headers is still open")
		}
	}
}

// bomb returns a megabyte of gzip that inflates to a gigabyte: a thousand
// streams, one after the other.
func bomb(t *testing.T) []byte {
	t.Helper()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.Repeat(zipped.Bytes(), 1<<10)
}

// millionKeys is an event with as many fields as fit.
func millionKeys() []byte {
	var body bytes.Buffer
	body.WriteString(`{"userId":"u","event":"x"`)
	for i := range 280_000 {
		fmt.Fprintf(&body, `,"%07d":0`, i)
	}
	body.WriteString(`}`)
	return body.Bytes()
}

// An event with more fields than any table has columns is refused, whole and
// alone, and kept; headers without end are refused before they are read.
func TestHugeRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post(t, "/v1/track", appKey, millionKeys())
	w.await(t, "the refused event", `select count(*) = 1 from verobridge.rejected_events where reason = 'too_many_fields' and length(body) > 3000000`)

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/v1/batch", strings.NewReader(`{"batch":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), maxHeaderBytes)))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("endless headers are answered %d", answer.StatusCode)
	}
}
