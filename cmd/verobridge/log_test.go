package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// lockedBuffer is a buffer for many writers.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// No secret and no e-mail address is in a log line, at any level, whether
// things go well or wrong; nor in a metric, nor, of the secrets, in a table.
func TestLogsHoldNoSecretAndNoAddress(t *testing.T) {
	t.Parallel()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(t, serve(t, vero))
	s.Admin.Password = "test-admin-password"
	var lines lockedBuffer
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug})))
	w := &world{bridge: b, db: connect(t, s.Warehouse.URL), vero: vero, url: "http://" + b.publicAddr}

	for _, f := range []mockvero.Fault{
		{Status: http.StatusBadRequest, Body: `{"status":400,"message":"token ` + veroToken + ` of jane@example.com"}`},
		{Status: http.StatusInternalServerError},
		{Status: http.StatusUnauthorized},
		{Reset: true},
	} {
		vero.Fault(f)
	}
	w.send(t, shopping())
	w.receive(t)
	w.post(t, "/v1/track", appKey, []byte(`{"userId":"jane@example.com","properties":{}}`)) // no event: rejected
	for _, path := range []string{"/webhooks/vero/" + veroKey + "x", "/v1/track?writeKey=" + appKey + "x"} {
		answer, err := http.Post(w.url+path, "application/json", strings.NewReader(`{"userId":"jane@example.com"`))
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
	w.settle(t, "log")
	_, metrics := get(t, "http://"+b.adminAddr+"/metrics", s.Admin.Password)

	for _, secret := range []string{appKey, veroKey, veroToken, s.Admin.Password, "jane@example.com", "guest@example.com"} {
		for where, text := range map[string]string{"log": lines.String(), "metrics": metrics} {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s holds %q: …%s…", where, secret, text[max(0, i-200):min(len(text), i+100)])
			}
		}
	}
	for _, secret := range []string{appKey, veroKey, veroToken, s.Admin.Password} {
		for _, table := range []string{"verobridge.deliveries", "verobridge.rejected_events", "app.tracks", "app.discards", "vero.tracks"} {
			if n := count(t, w.db, `select count(*) from `+table+` t where strpos(t::text, $1) > 0`, secret); n > 0 {
				t.Errorf("%d rows of %s hold %q", n, table, secret)
			}
		}
	}
	if !strings.Contains(lines.String(), "destination paused") {
		t.Error("the log does not tell that Vero refused the token")
	}
}
