package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/ingest"
	"github.com/verobridge/verobridge/internal/event"
)

// BenchmarkBatch measures the door alone, from the parsed HTTP request to the
// events in the hands of the spool, for a batch of 100 events of about 1 KB.
func BenchmarkBatch(b *testing.B) {
	handler, err := ingest.NewHandler(ingest.Options{
		Sources: testSources,
		Spool:   appendFunc(func(context.Context, ...event.Event) error { return nil }),
	})
	if err != nil {
		b.Fatal(err)
	}
	events := make([]string, 100)
	for i := range events {
		events[i] = fmt.Sprintf(`{"type":"track","messageId":"m%d","userId":"u%d","anonymousId":"a","event":"Order Completed",`+
			`"timestamp":"2026-01-02T03:04:05.678Z","context":{"ip":"203.0.113.7","userAgent":"%s","locale":"en-US","page":{"url":"https://x.test/"}},`+
			`"properties":{"revenue":9.99,"currency":"EUR","products":[{"sku":"%s","price":1.5}],"note":"%s"}}`,
			i, i, strings.Repeat("Mozilla ", 16), strings.Repeat("s", 40), strings.Repeat("lorem ipsum ", 40))
	}
	body := `{"batch":[` + strings.Join(events, ",") + `],"sentAt":"2026-01-02T03:04:06Z","context":{"library":{"name":"analytics-go","version":"3.0.0"}}}`
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/batch", strings.NewReader(body))
		r.Header.Set("Authorization", basic("wk_test:"))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("answer is %d", w.Code)
		}
	}
	b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "events/s")
}
