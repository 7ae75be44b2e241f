package ingest_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/ingest"
	"github.com/verobridge/verobridge/internal/event"
)

// Hostile bodies are refused in bounded memory. The test is not parallel: it
// measures what the handler allocates.
func TestHostileBodies(t *testing.T) {
	const size = 4<<20 - 1000
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	tests := map[string]struct {
		path, body, encoding string
		status               int
		want                 string // in the answer, or the reason of the rejected event
	}{
		"arrays":            {"/v1/batch", fill("["), "", http.StatusBadRequest, "nested_too_deep"},
		"objects":           {"/v1/batch", fill(`{"a":`), "", http.StatusBadRequest, "nested_too_deep"},
		"deep and valid":    {"/v1/batch", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), "", http.StatusBadRequest, "nested_too_deep"},
		"deep webhook":      {veroHook, fill("["), "", http.StatusBadRequest, "nested_too_deep"},
		"escaped webhook":   {veroHook, fill("%5B"), "", http.StatusBadRequest, "nested_too_deep"},
		"too large":         {"/v1/batch", fill(" ") + strings.Repeat(" ", 2000), "", http.StatusBadRequest, "payload_too_large"},
		"gzip bomb":         {"/v1/batch", strings.Repeat(compressed(t, strings.Repeat(" ", 1<<20)), 1000), "gzip", http.StatusBadRequest, "payload_too_large"},
		"gzip of nothing":   {"/v1/batch", strings.Repeat(compressed(t, ""), 200_000), "gzip", http.StatusBadRequest, "payload_too_large"},
		"a million numbers": {"/v1/batch", `{"batch":[` + fill("0,") + `0]}`, "", http.StatusBadRequest, "too_many_events"},
		"numbers to Vero":   {veroHook, `[` + fill("0,") + `0]`, "", http.StatusBadRequest, "too_many_events"},
		"holes":             {"/v1/batch", `{"batch":[` + fill(",") + `]}`, "", http.StatusOK, ""},
		"surrogates":        {"/v1/batch", `{"batch":["` + fill(`\ud800`) + `"]}`, "", http.StatusOK, event.ReasonNotObject},
		"many keys":         {"/v1/track", `{` + fill(`"":0,`) + `"event":"x","userId":"u"}`, "", http.StatusOK, event.ReasonTooManyFields},
		"many nested keys":  {"/v1/track", `{"event":"x","userId":"u","properties":{"a":[` + fill(`{"":0},`) + `0]}}`, "", http.StatusOK, event.ReasonTooManyFields},
		"array for a map":   {"/v1/track", `{"event":"x","userId":"u","properties":[` + fill(`0,`) + `0]}`, "", http.StatusOK, event.ReasonInvalidField},
		"many pixel levels": {"/v1/pixel/track?writeKey=wk_test&" + strings.Repeat("a.", 50_000) + "=1", "", "", http.StatusOK, event.ReasonNoEventName},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spool := &memory{}
			handler, err := ingest.NewHandler(ingest.Options{Sources: testSources, Spool: spool})
			if err != nil {
				t.Fatal(err)
			}
			method := http.MethodPost
			if tt.body == "" {
				method = http.MethodGet
			}
			r := httptest.NewRequestWithContext(t.Context(), method, tt.path, strings.NewReader(tt.body))
			r.ContentLength = -1 // nothing announces the size
			r.Header.Set("Authorization", basic("wk_test:"))
			r.Header.Set("Content-Encoding", tt.encoding)
			w := httptest.NewRecorder()

			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			handler.ServeHTTP(w, r)
			runtime.ReadMemStats(&after)

			if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 128 {
				t.Errorf("%d MiB were allocated", allocated)
			}
			if w.Code != tt.status {
				t.Fatalf("answer is %d %s, want %d", w.Code, w.Body, tt.status)
			}
			if tt.status != http.StatusOK {
				if !strings.Contains(w.Body.String(), tt.want) {
					t.Errorf("answer is %s, want %s", w.Body, tt.want)
				}
				return
			}
			var reasons []string
			for _, e := range spool.take() {
				reasons = append(reasons, e.Get("reason").String())
			}
			if got := strings.Join(reasons, " "); got != tt.want {
				t.Errorf("events are rejected for %q, want %q", got, tt.want)
			}
		})
	}
}
