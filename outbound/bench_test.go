package outbound

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// benchEvents returns n track calls of as many people, about 1 kB each.
func benchEvents(b *testing.B, n int) []event.Event {
	b.Helper()
	batch := make([]event.Event, n)
	for i := range batch {
		batch[i] = accept(b, fmt.Sprintf(`{"type":"track","messageId":"m-%d","userId":"user-%d","event":"Order Completed",
			"properties":{"order_id":"o-%d","total":129.90,"currency":"EUR","products":[
				{"product_id":"1","sku":"45790-32","name":"Monopoly: 3rd Edition","price":19.00,"quantity":1,"url":"https://shop.example.com/p/1"},
				{"product_id":"2","sku":"46493-32","name":"Uno Card Game","price":3.00,"quantity":2,"url":"https://shop.example.com/p/2"}]},
			"context":{"locale":"en-GB","timezone":"Europe/Berlin","userAgent":"Mozilla/5.0 (Macintosh)","traits":{"email":"user-%d@example.com"},
				"page":{"path":"/checkout","title":"Checkout","url":"https://shop.example.com/checkout"},"library":{"name":"analytics.js","version":"next-1.84.3"}},
			"timestamp":"2026-06-06T10:15:30Z"}`, i, i, i, i))
	}
	return batch
}

func BenchmarkPlan(b *testing.B) {
	batch := benchEvents(b, 1)
	m := newTestMapping(b, VeroOptions{})
	b.ReportAllocs()
	for b.Loop() {
		if len(m.plan(batch[0]).Requests) != 1 {
			b.Fatal("no request")
		}
	}
}

// BenchmarkDeliver delivers batches of 512 events to a Vero that answers at
// once.
func BenchmarkDeliver(b *testing.B) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"status":200,"message":"Success."}`)
	}))
	b.Cleanup(web.Close)
	v, err := NewVero(VeroOptions{Name: "vero", URL: web.URL, AllowPrivate: true, AuthToken: secret})
	if err != nil {
		b.Fatal(err)
	}
	batch := benchEvents(b, 512)
	for b.Loop() {
		for _, o := range v.Deliver(b.Context(), batch) {
			if o.Status() != delivery.StatusDelivered {
				b.Fatal(o.Detail())
			}
		}
	}
	b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "events/s")
}
