package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/pgtest"
	"github.com/verobridge/verobridge/internal/spool"
	"github.com/verobridge/verobridge/warehouse"
)

// sealed makes events with random ids, as SDKs send them, and the records of 250
// of them that the spool keeps of them under load.
func sealed(b *testing.B, size int) (records [][]byte, ids []string) {
	b.Helper()
	const joined = 250
	usualCall, err := os.ReadFile("../../warehouse/testdata/usual_call.txt")
	if err != nil {
		b.Fatal(err)
	}
	var events []event.Event
	for i := range size {
		id := rand.Text()
		e, err := event.New(fmt.Appendf(nil, string(usualCall), id, i, i), event.Stamp{Source: "app", ReceivedAt: time.Now()})
		if err != nil {
			b.Fatal(err)
		}
		events, ids = append(events, e), append(ids, id)
		if len(events) == joined || i == size-1 {
			records, events = append(records, spool.Seal(events)), nil
		}
	}
	return records, ids
}

// BenchmarkLoadAgainstCopy compares the loader, from the records of the spool to
// the commit on one connection, with what Postgres takes at best: the same rows,
// ready in memory, by pgx.CopyFrom into copies of the same tables with their
// keys. They take turns, so that a busy machine disturbs both.
func BenchmarkLoadAgainstCopy(b *testing.B) {
	const size = loadBatch
	url := pgtest.Database(b)
	loader, err := warehouse.Open(b.Context(), warehouse.Options{URL: url, Sources: []warehouse.Source{{Name: "app"}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(loader.Close)
	load := func(records [][]byte) {
		b.Helper()
		var batch []event.Event
		for _, record := range records {
			events, err := spool.Unseal(record)
			if err != nil {
				b.Fatal(err)
			}
			batch = append(batch, events...)
		}
		for _, o := range loader.Deliver(b.Context(), batch) {
			if o.Err() != nil {
				b.Fatal(o.Err())
			}
		}
	}
	first, _ := sealed(b, 1)
	load(first) // makes the tables
	db := connect(b, url)
	tables := []string{"tracks", "order_completed"}
	sql := "create schema copied"
	for _, name := range tables {
		sql += fmt.Sprintf("; create table copied.%s (like app.%[1]s including all)", name)
	}
	if _, err := db.Exec(b.Context(), sql); err != nil {
		b.Fatal(err)
	}
	var ofLoader, ofCopy time.Duration
	for b.Loop() {
		records, ids := sealed(b, size)
		runtime.GC() // neither pays for what the benchmark itself leaves behind
		start := time.Now()
		load(records)
		ofLoader += time.Since(start)

		var ready []readyRows
		for _, name := range tables {
			ready = append(ready, readRows(b, db, name, ids))
		}
		runtime.GC()
		start = time.Now()
		if err := copyRows(b, db, ready); err != nil {
			b.Fatal(err)
		}
		ofCopy += time.Since(start)
	}
	rows := float64(size * len(tables) * b.N)
	loaderRate, copyRate := rows/ofLoader.Seconds(), rows/ofCopy.Seconds()
	b.Logf("loader, from the record to the commit: %.0f rows/s; pgx.CopyFrom of the ready rows: %.0f rows/s; the loader reaches %.0f %%",
		loaderRate, copyRate, 100*loaderRate/copyRate)
	b.ReportMetric(loaderRate, "loader-rows/s")
	b.ReportMetric(copyRate, "copy-rows/s")
	b.ReportMetric(100*loaderRate/copyRate, "%-of-copy")
}

// readyRows are rows of a table, as pgx reads them.
type readyRows struct {
	table   string
	columns []string
	rows    [][]any
}

// readRows reads what the loader made of events.
func readRows(b *testing.B, db *pgx.Conn, name string, ids []string) readyRows {
	b.Helper()
	found, err := db.Query(b.Context(), "select * from app."+name+" where id = any($1)", ids)
	if err != nil {
		b.Fatal(err)
	}
	ready := readyRows{table: name}
	for _, field := range found.FieldDescriptions() {
		ready.columns = append(ready.columns, field.Name)
	}
	ready.rows, err = pgx.CollectRows(found, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	if err != nil {
		b.Fatal(err)
	}
	if len(ready.rows) != len(ids) {
		b.Fatalf("%d rows in %s, want %d", len(ready.rows), name, len(ids))
	}
	return ready
}

// copyRows copies rows in one transaction.
func copyRows(b *testing.B, db *pgx.Conn, ready []readyRows) error {
	b.Helper()
	return pgx.BeginFunc(b.Context(), db, func(tx pgx.Tx) error {
		for _, r := range ready {
			_, err := tx.CopyFrom(b.Context(), pgx.Identifier{"copied", r.table}, r.columns, pgx.CopyFromRows(r.rows))
			if err != nil {
				return err
			}
		}
		return nil
	})
}
