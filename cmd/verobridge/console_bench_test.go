package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// BenchmarkConsolePages asks for pages of the console with many events in the
// tables, 2 deliveries for each, and 3 email events for ten.
func BenchmarkConsolePages(b *testing.B) {
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(b, serve(b, vero))
	bridge := startSeededBridge(b, s)
	w := &world{bridge: bridge, db: connect(b, s.Warehouse.URL), vero: vero, url: "http://" + bridge.publicAddr}
	w.await(b, "the tables", "select to_regclass('email_analytics.funnel') is not null")
	seedEvents(b, w.db, benchEvents(b))
	awaitCondition(b, "the emails to be counted", func() bool {
		_, text := w.page(b, "/emails", nil)
		return strings.Contains(text, "By day of sending")
	})
	for _, page := range []struct{ name, path string }{
		{"overview", "/"},
		{"live", "/live"},
		{"live of a person", "/live?person=user-77"},
		{"setup", "/setup"},
		{"deliveries", "/deliveries"},
		{"deliveries of a status", "/deliveries?status=dead"},
		{"deliveries of a reason", "/deliveries?status=skipped&reason=no_consent"},
		{"deliveries of an event", "/deliveries?event=Event+7&destination=vero"},
		{"deliveries of a person", "/deliveries?person=user-77"},
		{"deliveries that are none", "/deliveries?status=skipped&event=None"},
		{"emails", "/emails?days=90"},
		{"tables", "/tables"},
		{"mapping", "/mapping"},
	} {
		b.Run(page.name, func(b *testing.B) {
			var all []time.Duration
			for b.Loop() {
				started := time.Now()
				if status, _ := w.page(b, page.path, nil); status != http.StatusOK {
					b.Fatalf("%s: status %d", page.path, status)
				}
				all = append(all, time.Since(started))
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(all[len(all)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}
