package bench

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// seenCalls is a server that remembers the calls that it was sent.
type seenCalls struct {
	mu      sync.Mutex
	calls   []call
	times   []time.Time
	refuses int // requests to come
}

type call struct {
	ID    string `json:"messageId"`
	User  string `json:"userId"`
	Event string `json:"event"`
}

func (s *seenCalls) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Batch []call `json:"batch"`
		call
	}
	key, _, _ := r.BasicAuth()
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || key != "key" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuses > 0 {
		s.refuses--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.URL.Path == "/v1/track" {
		body.Batch = []call{body.call}
	}
	s.calls = append(s.calls, body.Batch...)
	s.times = append(s.times, time.Now())
}

// generate runs a generator in this process.
func generate(t *testing.T, l load) sent {
	t.Helper()
	plan, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Generate(t.Context(), bytes.NewReader(plan), &out); err != nil {
		t.Fatal(err)
	}
	var s sent
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// Each event is sent once, whatever the connections and batches, and people and
// names are as many as was asked for.
func TestGenerateSendsEachEventOnce(t *testing.T) {
	t.Parallel()
	for _, l := range []load{
		{Connections: 1, Batch: 1, Events: 7},
		{Connections: 4, Batch: 1, Events: 40, People: 3, Names: 2},
		{Connections: 3, Batch: 10, Events: 120, People: 50, Names: 10},
	} {
		seen := &seenCalls{}
		server := httptest.NewServer(seen)
		l.URL, l.Key, l.Run = server.URL, "key", "run-"
		s := generate(t, l)
		server.Close()
		if s.Events != l.Events || s.Failed != 0 || s.Waits.N != l.Events/l.Batch {
			t.Errorf("%+v: it says %+v", l, s)
		}
		ids, people, names := make(map[string]bool), make(map[string]bool), make(map[string]bool)
		for _, c := range seen.calls {
			ids[c.ID], people[c.User], names[c.Event] = true, true, true
		}
		for n := range l.Events {
			if id := fmt.Sprintf("run-%012d", n); !ids[id] {
				t.Errorf("%+v: %s was not sent", l, id)
			}
		}
		got := []int{len(seen.calls), len(ids), len(people), len(names)}
		want := []int{l.Events, l.Events, min(l.Events, cmp.Or(l.People, l.Events)), cmp.Or(l.Names, 1)}
		if !slices.Equal(want, got) {
			t.Errorf("%+v: calls, ids, people, names are %v, want %v", l, got, want)
		}
	}
}

// With a rate, events do not come before they are due, however fast the answers.
func TestGenerateKeepsThePace(t *testing.T) {
	t.Parallel()
	seen := &seenCalls{}
	server := httptest.NewServer(seen)
	defer server.Close()
	const events, perSecond = 50, 200
	began := time.Now()
	s := generate(t, load{URL: server.URL, Key: "key", Connections: 4, Events: events, Rate: perSecond})
	if s.Events != events {
		t.Fatalf("%d events were sent, want %d", s.Events, events)
	}
	for n, at := range seen.times {
		if due := began.Add(time.Duration(n) * time.Second / perSecond); at.Before(due) {
			t.Errorf("event %d came %s before it was due", n, due.Sub(at))
		}
	}
}

func TestGenerateCountsWhatIsRefused(t *testing.T) {
	t.Parallel()
	seen := &seenCalls{refuses: 2}
	server := httptest.NewServer(seen)
	defer server.Close()
	s := generate(t, load{URL: server.URL, Key: "key", Connections: 1, Batch: 5, Events: 20})
	if s.Events != 10 || s.Failed != 10 || len(seen.calls) != 10 {
		t.Errorf("%d were taken and %d refused, the server took %d; want 10 of each", s.Events, s.Failed, len(seen.calls))
	}
}

func TestGenerateNeedsAURL(t *testing.T) {
	t.Parallel()
	err := Generate(t.Context(), strings.NewReader(`{"URL":"example.com","Connections":1,"Events":1}`), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "https://") {
		t.Errorf("an address without a scheme says %v, want how to write it", err)
	}
}

// The calls for Vero are requests that the mock of Vero would take.
func TestVeroRequest(t *testing.T) {
	t.Parallel()
	target, err := url.Parse("http://127.0.0.1:1/api/v2")
	if err != nil {
		t.Fatal(err)
	}
	r := newRequest(load{Key: "token", Vero: true, Run: "run-"}, target)
	r.number(12, 5, 1)
	parsed, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(r.bytes)))
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Token    string `json:"auth_token"`
		Identity struct{ ID string }
		Data     struct {
			ID string `json:"segment_message_id"`
		}
	}
	if err := json.NewDecoder(parsed.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	got := []string{parsed.URL.Path, body.Token, body.Identity.ID, body.Data.ID}
	want := []string{"/api/v2/events/track", "token", "user-00000002", "run-000000000012"}
	if !slices.Equal(want, got) {
		t.Errorf("the request says %v, want %v", got, want)
	}
}

// The bare server answers as the bridge does, and ends with its input.
func TestServeBare(t *testing.T) {
	t.Parallel()
	in, stop := io.Pipe()
	address, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- ServeBare(t.Context(), in, out) }()
	line, err := bufio.NewReader(address).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if s := generate(t, load{URL: strings.TrimSpace(line), Connections: 2, Batch: 3, Events: 30}); s.Events != 30 {
		t.Errorf("%d of 30 events were taken", s.Events)
	}
	if err := stop.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
