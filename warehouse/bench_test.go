package warehouse

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/pgtest"
)

// benchCall is a usual call of a browser or an app.
const benchCall = `{"type":"track","messageId":"%s","userId":"user-%d","anonymousId":"8a0d7a3c-5b0e-4c5c-9d5e-1f2a3b4c5d6e","event":"Order Completed",
	"timestamp":"2026-06-06T10:00:00.123Z","sentAt":"2026-06-06T10:00:01.456Z",
	"context":{"ip":"203.0.113.7","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36",
		"library":{"name":"analytics.js","version":"next-1.84.3"},"locale":"en-GB","timezone":"Europe/London",
		"page":{"path":"/checkout","referrer":"https://shop.example.com/cart","search":"","title":"Checkout","url":"https://shop.example.com/checkout"}},
	"properties":{"order_id":"o-%d","total":12.50,"currency":"EUR","coupon":null,"items":[{"sku":"a","price":1.10}],
		"shipping":{"address":{"city":"Berlin","postalCode":"10115"}},"placed":"2026-06-06T10:00:00Z","gift":false}}`

// benchBatch makes events with random ids, as SDKs do.
func benchBatch(b *testing.B, size int) []event.Event {
	b.Helper()
	events := make([]event.Event, size)
	for i := range events {
		events[i] = eventOf(b, "app", arrival, fmt.Sprintf(benchCall, rand.Text(), i, i))
	}
	return events
}

// BenchmarkRecord measures the mapping alone, one event each time.
func BenchmarkRecord(b *testing.B) {
	e := benchBatch(b, 1)[0]
	mapper := newMapper(segment)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mapper.record(e); err != nil {
			b.Fatal(err)
		}
	}
}

// benchLoader is a prepared loader with the source app.
func benchLoader(b *testing.B) *Loader {
	b.Helper()
	l, err := Open(b.Context(), Options{URL: pgtest.Database(b), Sources: []Source{{Name: "app"}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(l.Close)
	if err := l.Prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	return l
}

// mustDeliver loads events of which all must get in.
func mustDeliver(b *testing.B, l *Loader, events []event.Event) {
	b.Helper()
	for _, o := range l.Deliver(b.Context(), events) {
		if o.Err() != nil {
			b.Fatal(o.Err())
		}
	}
}

// BenchmarkDeliver loads batches of several sizes; each event is two rows.
func BenchmarkDeliver(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("batch of %d", size), func(b *testing.B) {
			l := benchLoader(b)
			for b.Loop() {
				b.StopTimer()
				events := benchBatch(b, size)
				b.StartTimer()
				mustDeliver(b, l, events)
			}
			b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkDeliverAgainstCopy compares the loader, from events to the commit on
// one connection, with what Postgres takes at best: the same rows, ready in
// memory, by pgx.CopyFrom into copies of the same tables with their keys. They
// take turns, so that a noisy machine disturbs both.
func BenchmarkDeliverAgainstCopy(b *testing.B) {
	const size = 5000
	l := benchLoader(b)
	mustDeliver(b, l, benchBatch(b, 1)) // makes the table
	conn, err := pgx.Connect(b.Context(), l.url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(context.WithoutCancel(b.Context())) })
	tables := []string{"tracks", "order_completed"}
	sql := "create schema copied"
	for _, name := range tables {
		sql += fmt.Sprintf("; create table copied.%s (like app.%[1]s including all)", name)
	}
	if _, err := conn.Exec(b.Context(), sql); err != nil {
		b.Fatal(err)
	}
	var ofLoader, ofCopy time.Duration
	for b.Loop() {
		events := benchBatch(b, size)
		start := time.Now()
		mustDeliver(b, l, events)
		ofLoader += time.Since(start)

		ready := make(map[string]*loaded, len(tables))
		for _, name := range tables {
			ready[name] = readLoaded(b, conn, name, events)
		}
		start = time.Now()
		err := pgx.BeginFunc(b.Context(), conn, func(tx pgx.Tx) error {
			for _, name := range tables {
				_, err := tx.CopyFrom(b.Context(), pgx.Identifier{"copied", name}, ready[name].columns, pgx.CopyFromRows(ready[name].rows))
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		ofCopy += time.Since(start)
	}
	rows := float64(size * len(tables) * b.N)
	b.ReportMetric(rows/ofLoader.Seconds(), "loader-rows/s")
	b.ReportMetric(rows/ofCopy.Seconds(), "copy-rows/s")
	b.ReportMetric(100*ofCopy.Seconds()/ofLoader.Seconds(), "%-of-copy")
}

// loaded are rows of a table, as pgx reads them.
type loaded struct {
	columns []string
	rows    [][]any
}

// readLoaded reads what the loader made of events.
func readLoaded(b *testing.B, conn *pgx.Conn, name string, events []event.Event) *loaded {
	b.Helper()
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	rows, err := conn.Query(b.Context(), "select * from app."+name+" where id = any($1)", ids)
	if err != nil {
		b.Fatal(err)
	}
	l := &loaded{}
	for _, field := range rows.FieldDescriptions() {
		l.columns = append(l.columns, field.Name)
	}
	l.rows, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// BenchmarkWriteReports writes two reports for each event, as many as a bridge
// with one destination beside the warehouse has.
func BenchmarkWriteReports(b *testing.B) {
	l := benchLoader(b)
	for b.Loop() {
		b.StopTimer()
		var reports []delivery.Report
		for _, e := range benchBatch(b, 1000) {
			call := delivery.Call{
				Method: "POST", URL: "https://api.getvero.com/api/v2/events/track", Status: 200, Answer: `{"status":200,"message":"Success."}`, At: arrival,
				Request: json.RawMessage(`{"identity":{"id":"user-1"},"event_name":"Order Completed","data":{"order_id":"o-1","total":12.50,"currency":"EUR"}}`),
			}
			reports = append(reports,
				delivery.ReportOf(e, "warehouse", delivery.Delivered(), 1, arrival),
				delivery.ReportOf(e, "vero", delivery.Delivered(call), 1, arrival))
		}
		b.StartTimer()
		if err := l.WriteReports(b.Context(), reports); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(2000*float64(b.N)/b.Elapsed().Seconds(), "reports/s")
}
