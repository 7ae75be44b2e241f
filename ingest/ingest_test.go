package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/ingest"
	"github.com/verobridge/verobridge/internal/event"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var receivedAt = time.Date(2026, 11, 21, 17, 0, 0, 0, time.UTC)

// memory keeps events for as long as the test runs.
type memory struct {
	mu      sync.Mutex
	events  []event.Event
	appends int
	err     error
}

func (m *memory) Append(ctx context.Context, events ...event.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.appends++
	m.events = append(m.events, events...)
	return ctx.Err()
}

// take returns what was appended since the last time.
func (m *memory) take() []event.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	events := m.events
	m.events = nil
	return events
}

// count returns how often anything was appended.
func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.appends
}

// door is the handler behind a real HTTP server.
type door struct {
	*httptest.Server
	spool *memory
}

var testSources = []ingest.Source{
	{Name: "app", WriteKeys: []string{"wk_test", "wk_rotated"}},
	{Name: "web", WriteKeys: []string{"wk_web"}, Origins: []string{"https://www.example.com"}},
	{Name: "shop", WriteKeys: []string{"wk_shop"}, Origins: []string{"https://shop.example.com"}, Browser: true},
	{Name: "vero", Vero: true, WriteKeys: []string{"wk_vero"}},
	{Name: "old", WriteKeys: []string{"wk_old"}, Disabled: true},
}

// open starts a door with the test sources. Zero options are filled in.
func open(t *testing.T, o ingest.Options) door {
	t.Helper()
	spool := &memory{}
	if o.Spool == nil {
		o.Spool = spool
	}
	if o.Sources == nil {
		o.Sources = testSources
	}
	if o.Now == nil {
		o.Now = func() time.Time { return receivedAt }
	}
	handler, err := ingest.NewHandler(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return door{srv, spool}
}

// answer is a response that was read whole.
type answer struct {
	*http.Response
	body string
}

// do sends a request and does not follow redirects.
func (d door) do(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res, string(b)}
}

// post sends a body with the app's write key.
func (d door) post(t *testing.T, path, body string, headers ...string) answer {
	t.Helper()
	return d.do(t, http.MethodPost, path, body, append([]string{"Authorization", "Basic d2tfdGVzdDo="}, headers...)...)
}

// succeeds checks that the answer is the one that all SDKs take for success.
func (a answer) succeeds(t *testing.T) {
	t.Helper()
	if a.StatusCode != http.StatusOK || a.body != `{"success":true}` || a.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("answer is %d %s (%s), want 200 {\"success\":true}", a.StatusCode, a.body, a.Header.Get("Content-Type"))
	}
}

// fails checks that the answer is an error in the form that all SDKs can read.
func (a answer) fails(t *testing.T, status int, code string) {
	t.Helper()
	var got struct {
		Success              *bool
		Error, Code, Message string
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatalf("answer %d is no JSON: %v\n%s", a.StatusCode, err, a.body)
	}
	if a.StatusCode != status || got.Code != code || got.Success == nil || *got.Success || got.Error == "" || got.Message == "" {
		t.Fatalf("answer is %d %s, want %d with code %s", a.StatusCode, a.body, status, code)
	}
}

// compressed returns s as gzip.
func compressed(t *testing.T, s string) string {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// written shows events for a golden file, in full and with sorted keys.
func written(t *testing.T, events []event.Event) string {
	t.Helper()
	var b strings.Builder
	for _, e := range events {
		d := json.NewDecoder(bytes.NewReader(e.Body))
		d.UseNumber()
		var body map[string]any
		if err := d.Decode(&body); err != nil {
			t.Fatalf("body of %s is no JSON object: %v", e.ID, err)
		}
		text, err := json.MarshalIndent(body, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "event %s of %s, %s, received %s\n%s\n", e.ID, e.Source, e.Type, event.FormatTime(e.ReceivedAt), text)
	}
	return b.String()
}

// golden compares got with a file, or rewrites it under -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// samples lists the files that match, and fails if there are none.
func samples(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples %s: %v", pattern, err)
	}
	return files
}
