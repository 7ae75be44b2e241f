package main

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// A write key is replaced without a gap: for a while the source has both, and
// both open the same source. What comes with the key of a disabled source is
// refused.
func TestWriteKeysAreReplacedWithOverlap(t *testing.T) {
	t.Parallel()
	s := testSettings(t, serve(t, mockvero.New(mockvero.Options{AuthToken: veroToken})))
	s.Sources[0].WriteKeys = append(s.Sources[0].WriteKeys, "the-next-key")
	s.Sources = append(s.Sources, sourceSettings{Name: "closed", WriteKeys: []string{"closed-key"}, Disabled: true})
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	w := &world{bridge: b, db: connect(t, s.Warehouse.URL), url: "http://" + b.publicAddr}

	w.post(t, "/v1/track", appKey, []byte(`{"messageId":"old","userId":"u","event":"Sent"}`))
	w.post(t, "/v1/track", "the-next-key", []byte(`{"messageId":"new","userId":"u","event":"Sent"}`))
	w.settle(t, "keys")
	if ids := w.text(t, `select string_agg(id, ' ' order by id) from app.tracks`); ids != "new old" {
		t.Errorf("rows are %s, want those of both keys", ids)
	}

	answer, err := http.Post(w.url+"/v1/track", "application/json", strings.NewReader(`{"writeKey":"closed-key","userId":"u","event":"Sent"}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil || answer.StatusCode != http.StatusForbidden || !strings.Contains(string(text), `"source_disabled"`) {
		t.Errorf("the disabled source answers %d %s, %v", answer.StatusCode, text, err)
	}
}
