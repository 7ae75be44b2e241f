package main

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func get(t *testing.T, url, password string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if password != "" {
		request.SetBasicAuth("anybody", password)
	}
	return answer(t, request)
}

// answer returns the answer to a request.
func answer(t *testing.T, request *http.Request) (status int, body string) {
	t.Helper()
	got, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(text)
}

func TestAdminAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle(t, "admin")
	admin := "http://" + w.bridge.adminAddr
	if status, body := get(t, admin+"/healthz", ""); status != http.StatusOK {
		t.Errorf("/healthz: %d %s", status, body)
	}
	if status, body := get(t, admin+"/readyz", ""); status != http.StatusOK || strings.TrimSpace(body) != `{"spool":"ready","warehouse":"ready"}` {
		t.Errorf("/readyz: %d %s", status, body)
	}
	status, metrics := get(t, admin+"/metrics", "")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d", status)
	}
	// The metrics that docs/operations.md tells people to watch.
	_, watched, _ := strings.Cut(readDoc(t, "docs/operations.md"), "## Metrics to watch")
	watched, _, _ = strings.Cut(watched, "\n## ")
	names := metricNames.FindAllString(watched, -1)
	if len(names) < 10 {
		t.Errorf("docs/operations.md names %d metrics to watch", len(names))
	}
	for _, name := range names {
		if !strings.Contains(metrics, "# HELP "+name+" ") {
			t.Errorf("docs/operations.md names %s, which is no metric", name)
		}
	}
	// What operators see is not what the public sees.
	if status, _ := get(t, w.url+"/metrics", ""); status != http.StatusNotFound {
		t.Errorf("/metrics on the public address: %d", status)
	}
}

func TestAdminPassword(t *testing.T) {
	t.Parallel()
	s := testSettings(t, "http://127.0.0.1:1")
	s.Admin.Password = "open sesame"
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	admin := "http://" + b.adminAddr
	for password, want := range map[string]int{"": http.StatusUnauthorized, "wrong": http.StatusUnauthorized, "open sesame": http.StatusOK} {
		if status, _ := get(t, admin+"/metrics", password); status != want {
			t.Errorf("/metrics with password %q: %d, want %d", password, status, want)
		}
	}
	client := &adminClient{url: admin, password: "wrong"}
	var err error
	for range 20 {
		if err = client.call(t.Context(), http.MethodGet, "/api/events", nil, nil); strings.Contains(err.Error(), "too many wrong passwords") {
			break
		}
	}
	if !strings.Contains(err.Error(), "too many wrong passwords") {
		t.Errorf("who guesses is told %v", err)
	}
	if status, _ := get(t, admin+"/healthz", ""); status != http.StatusOK {
		t.Errorf("/healthz without a password: %d, want 200: platforms probe it", status)
	}
}

// Without a password nothing but the health is shown to a page of a stranger whose
// name leads to this machine.
func TestAdminHosts(t *testing.T) {
	t.Parallel()
	b := startTestBridge(t, testSettings(t, "http://127.0.0.1:1"), slog.New(slog.NewTextHandler(t.Output(), nil)))
	for path, want := range map[string]int{
		"/": http.StatusForbidden, "/metrics": http.StatusForbidden, "/api/events": http.StatusForbidden,
		"/healthz": http.StatusOK, "/readyz": http.StatusOK,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+b.adminAddr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "evil.example"
		if status, _ := answer(t, request); status != want {
			t.Errorf("%s by the name of a stranger: %d, want %d", path, status, want)
		}
	}
}
