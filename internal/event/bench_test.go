package event_test

import (
	"testing"

	"github.com/verobridge/verobridge/internal/event"
)

// BenchmarkNew judges and stamps one usual call of a browser, out of a batch
// whose envelope has a context of its own.
func BenchmarkNew(b *testing.B) {
	const usual = `{"type":"track","messageId":"8f14e45f-ceea-467f-a0e6-1b2c3d4e5f60","userId":"user-1","anonymousId":"8a0d7a3c-5b0e-4c5c-9d5e-1f2a3b4c5d6e",` +
		`"event":"Order Completed","timestamp":"2026-06-06T10:00:00.123Z","context":{"ip":"203.0.113.7",` +
		`"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36",` +
		`"library":{"name":"analytics.js","version":"next-1.84.3"},"locale":"en-GB","timezone":"Europe/London",` +
		`"page":{"path":"/checkout","referrer":"https://shop.example.com/cart","search":"","title":"Checkout","url":"https://shop.example.com/checkout"}},` +
		`"properties":{"order_id":"o-20260606-1","total":12.50,"currency":"EUR","coupon":null,"items":[{"sku":"a","price":1.10}],` +
		`"shipping":{"address":{"city":"Berlin","postalCode":"10115"}},"placed":"2026-06-06T10:00:00Z","gift":false}}`
	for _, c := range []struct {
		name  string
		stamp event.Stamp
	}{
		{"plain", event.Stamp{Source: "app", Channel: "server", ReceivedAt: receivedAt, SentAt: "2026-06-06T10:00:01.456Z", IP: "192.0.2.1"}},
		{"with an envelope", event.Stamp{
			Source: "app", Channel: "server", ReceivedAt: receivedAt, SentAt: "2026-06-06T10:00:01.456Z", IP: "192.0.2.1",
			Context: []byte(`{"library":{"name":"analytics-go","version":"3.3.0"},"app":{"name":"shop","version":"1.2"}}`),
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(usual)))
			for b.Loop() {
				if _, err := event.New(usual, c.stamp); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
