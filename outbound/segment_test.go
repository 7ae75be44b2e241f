package outbound

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// endpoint is a Segment-compatible server that answers as it is told.
type endpoint struct {
	URL string

	mu       sync.Mutex
	requests []string // bodies
	accepted []string // messageIds, each once, in order
	judge    func(body string) int
}

func newEndpoint(t *testing.T, judge func(body string) int) *endpoint {
	t.Helper()
	e := &endpoint{judge: judge}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		defer e.mu.Unlock()
		key, password, _ := r.BasicAuth()
		if r.Method != http.MethodPost || r.URL.Path != "/v1/batch" || key != "relay-key" || password != "" || !json.Valid(raw) {
			t.Errorf("%s %s as %q with %s", r.Method, r.URL.Path, key, raw)
		}
		e.requests = append(e.requests, string(raw))
		if status := e.judge(string(raw)); status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
		for _, id := range gjson.GetBytes(raw, "batch.#.messageId").Array() {
			e.accepted = append(e.accepted, id.Str)
		}
		_, _ = io.WriteString(w, `{"success":true}`)
	}))
	t.Cleanup(web.Close)
	e.URL = web.URL
	return e
}

// refuse answers with a status to requests that contain the text, and with 200
// to others.
func refuse(status int, text string) func(string) int {
	return func(body string) int {
		if strings.Contains(body, text) {
			return status
		}
		return http.StatusOK
	}
}

func newSegment(t *testing.T, url string) *Segment {
	t.Helper()
	s, err := NewSegment(SegmentOptions{Name: "posthog", URL: url, AllowPrivate: true, WriteKey: "relay-key"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.http.CloseIdleConnections)
	return s
}

// people returns n events of as many people.
func people(t *testing.T, n int) (batch []event.Event, ids []string) {
	t.Helper()
	for i := range n {
		id := fmt.Sprintf("m-%03d", i)
		batch, ids = append(batch, track(t, id, fmt.Sprintf("user-%d", i), "A")), append(ids, id)
	}
	return batch, ids
}

func TestSegmentItem(t *testing.T) {
	t.Parallel()
	raw := `{"type":"track","messageId":"m-1","userId":"1","event":"A","properties":{"big":12345678901234567890,"price":1.10},` +
		`"timestamp":"2026-06-06T10:00:00Z","sentAt":"2026-06-06T10:00:10Z","unknown":{"a":1},"writeKey":"theirs"}`
	e := accept(t, raw)
	item := segmentItem(e)
	want := `{"type":"track","messageId":"m-1","userId":"1","originalTimestamp":"2026-06-06T10:00:00Z","timestamp":"2026-06-06T10:15:21Z",` +
		`"properties":{"big":12345678901234567890,"price":1.10},"event":"A","unknown":{"a":1}}`
	if diff := cmp.Diff(want, string(item)); diff != "" {
		t.Errorf("item (-want +got):\n%s", diff)
	}
	// The next bridge takes it for the same event at the same time.
	sentAt := received.Add(time.Hour)
	body := segmentBatch([]json.RawMessage{item}, sentAt)
	again, err := event.New([]byte(gjson.GetBytes(body, "batch.0").Raw), event.Stamp{
		Source: "relay", ReceivedAt: sentAt, SentAt: gjson.GetBytes(body, "sentAt").Str,
	})
	if err != nil {
		t.Fatal(err)
	}
	if again.ID != e.ID || !again.Time().Equal(e.Time()) {
		t.Errorf("relayed event is %s at %s, want %s at %s", again.ID, again.Time(), e.ID, e.Time())
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	item := func(size int) json.RawMessage { return json.RawMessage(strings.Repeat("x", size)) }
	repeat := func(n, size int) []json.RawMessage {
		list := make([]json.RawMessage, n)
		for i := range list {
			list[i] = item(size)
		}
		return list
	}
	tests := map[string]struct {
		items []json.RawMessage
		want  []int
	}{
		"none":                  {nil, nil},
		"by count":              {repeat(205, 10), []int{100, 100, 5}},
		"by size":               {repeat(5, 200_000), []int{2, 2, 1}},
		"one too large":         {[]json.RawMessage{item(10), item(600_000), item(10)}, []int{1, 1, 1}},
		"exactly as many as go": {repeat(100, 10), []int{100}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, batches(tt.items)); diff != "" {
				t.Errorf("batches (-want +got):\n%s", diff)
			}
			if n := len(segmentBatch(repeat(2, 100), received)) - 200; n > batchOverhead {
				t.Errorf("a batch has %d bytes beside its events, want at most %d", n, batchOverhead)
			}
		})
	}
}

func TestRelay(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{"", "/", "/v1/batch", "/v1/batch/"} {
		t.Run(suffix, func(t *testing.T) {
			t.Parallel()
			web := newEndpoint(t, refuse(500, "nothing like this"))
			s := newSegment(t, web.URL+suffix)
			batch, ids := people(t, 250)
			outcomes := s.Deliver(t.Context(), batch)
			for i, o := range outcomes {
				if o.Status() != delivery.StatusDelivered {
					t.Fatalf("event %d: %s", i, o.Detail())
				}
			}
			if diff := cmp.Diff(ids, web.accepted); diff != "" {
				t.Errorf("relayed (-want +got):\n%s", diff)
			}
			if len(web.requests) != 3 {
				t.Errorf("%d requests, want 3", len(web.requests))
			}
			made := outcomes[7].Calls()[0]
			if got := gjson.GetBytes(made.Request, "batch.#.messageId").Raw; got != `["m-007"]` {
				t.Errorf("an event keeps the request of %s, want its own part", got)
			}
			if strings.Contains(fmt.Sprint(made), "relay-key") {
				t.Errorf("the key is kept: %+v", made)
			}
		})
	}
}

func TestRefusedEventIsFound(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 413, 422} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			web := newEndpoint(t, refuse(status, `"m-042"`))
			batch, ids := people(t, 100)
			outcomes := newSegment(t, web.URL).Deliver(t.Context(), batch)
			for i, o := range outcomes {
				want := "delivered delivered"
				if i == 42 {
					want = "dead bad_request"
				}
				if verdict(o) != want {
					t.Errorf("event %d: %s, want %s", i, o.Detail(), want)
				}
			}
			if diff := cmp.Diff(append(ids[:42:42], ids[43:]...), web.accepted); diff != "" {
				t.Errorf("relayed (-want +got):\n%s", diff)
			}
			if n := len(web.requests); n > 2*7+1 {
				t.Errorf("%d requests to find one of 100", n)
			}
		})
	}
}

func TestRelayPassingFailure(t *testing.T) {
	t.Parallel()
	web := newEndpoint(t, refuse(502, `"m-000"`))
	batch, _ := people(t, maxBatchEvents)
	batch = append(batch, track(t, "late", "user-0", "B"), track(t, "other", "someone", "B"))
	outcomes := newSegment(t, web.URL).Deliver(t.Context(), batch)
	want := append(make([]string, 0, len(batch)), strings.Fields(strings.Repeat("waiting/server_error ", maxBatchEvents))...)
	want = append(want, "waiting/behind_earlier_event", "delivered/delivered")
	var got []string
	for _, o := range outcomes {
		got = append(got, strings.ReplaceAll(verdict(o), " ", "/"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestRelayUnavailable(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		401: "unavailable credentials_refused", 429: "unavailable throttled", 308: "unavailable wrong_url", 404: "unavailable wrong_url",
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			web := newEndpoint(t, refuse(status, `"m-100"`))
			batch, _ := people(t, 350)
			for i, o := range newSegment(t, web.URL).Deliver(t.Context(), batch) {
				expected := want
				if i < 100 {
					expected = "delivered delivered"
				}
				if verdict(o) != expected {
					t.Errorf("event %d: %s, want %s", i, verdict(o), expected)
				}
			}
			if n := len(web.requests); n != 2 {
				t.Errorf("%d requests, want 2: nothing is tried after the refusal", n)
			}
		})
	}
}

func TestRelayStopping(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	web := newEndpoint(t, func(string) int { cancel(); return http.StatusOK })
	batch, ids := people(t, 150)
	outcomes := newSegment(t, web.URL).Deliver(ctx, batch)
	if verdict(outcomes[99]) != "delivered delivered" || verdict(outcomes[100]) != "unavailable stopping" {
		t.Errorf("outcomes %s, %s", verdict(outcomes[99]), verdict(outcomes[100]))
	}
	if diff := cmp.Diff(ids[:100], web.accepted); diff != "" {
		t.Errorf("relayed (-want +got):\n%s", diff)
	}
}

func TestRelayIntegrations(t *testing.T) {
	t.Parallel()
	web := newEndpoint(t, refuse(500, "nothing like this"))
	call := func(id, integrations string) event.Event {
		return accept(t, `{"type":"track","messageId":"`+id+`","userId":"1","event":"A","integrations":`+integrations+`}`)
	}
	outcomes := newSegment(t, web.URL).Deliver(t.Context(), []event.Event{
		call("m-1", `{"PostHog":false}`), call("m-2", `{"Vero":false}`), call("m-3", `{"All":false}`), call("m-4", `{"All":false,"posthog":true}`),
	})
	want := []string{"skipped integrations_false", "delivered delivered", "skipped integrations_false", "delivered delivered"}
	if diff := cmp.Diff(want, verdicts(outcomes)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"m-2", "m-4"}, web.accepted); diff != "" {
		t.Errorf("relayed (-want +got):\n%s", diff)
	}
}

func TestSegmentSettings(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		options SegmentOptions
		want    string
	}{
		"no name":      {SegmentOptions{URL: "https://x", WriteKey: "k"}, "name is missing"},
		"no url":       {SegmentOptions{Name: "posthog", WriteKey: "k"}, "url is missing"},
		"bad url":      {SegmentOptions{Name: "posthog", URL: "ftp://x", WriteKey: "k"}, "https://host/path"},
		"no write key": {SegmentOptions{Name: "posthog", URL: "https://x"}, "write_key is missing"},
		"timeout":      {SegmentOptions{Name: "posthog", URL: "https://x", WriteKey: "k", Timeout: -1}, "negative"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := NewSegment(tt.options); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to say %q", err, tt.want)
			}
		})
	}
}
