package retention_test

import (
	"testing"

	"github.com/verobridge/verobridge/internal/retention"
)

// BenchmarkExpire deletes the older half of a table: two rows for each event, with
// a request each.
func BenchmarkExpire(b *testing.B) {
	const events = 10_000
	conn, url := database(b)
	r := open(b, retention.Options{URL: url})
	var rows int64
	for b.Loop() {
		b.StopTimer()
		exec(b, conn, "truncate verobridge.deliveries")
		exec(b, conn, `insert into verobridge.deliveries (source, message_id, destination, type, event, user_id, status, reason, detail, attempts, calls, received_at)
			select 'app', gen_random_uuid()::text, destination, 'track', 'Order Completed', 'user-' || n % 10000, 'delivered', 'delivered', 'delivered', 1,
			       jsonb_build_array(jsonb_build_object('request', repeat('x', 500))), $1::timestamptz - n * interval '1 second'
			from generate_series(1, $2::int) n, unnest(array['warehouse', 'vero']) destination`, now.Add(-90*day+events/2*1e9), events)
		b.StartTimer()
		n, err := r.Expire(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		rows += n
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
