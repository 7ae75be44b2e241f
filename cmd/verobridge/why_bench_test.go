package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/mockvero"
	"github.com/verobridge/verobridge/internal/story"
)

// BenchmarkLookUp asks for another event or person each time, as people do, with
// many events in the tables, and for the pages that show them.
func BenchmarkLookUp(b *testing.B) {
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(b, serve(b, vero))
	bridge := startTestBridge(b, s, slog.New(slog.DiscardHandler))
	w := &world{bridge: bridge, db: connect(b, s.Warehouse.URL), vero: vero, url: "http://" + bridge.publicAddr}
	w.await(b, "the tables", "select to_regclass('email_analytics.funnel') is not null and exists (select from verobridge.sources)")
	n := benchEvents(b)
	seedEvents(b, w.db, n)
	store, err := story.Open(storyOptions(s))
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	people := n / 20
	event := func(id string) error {
		found, err := store.Event(b.Context(), id)
		if err == nil && len(found) != 1 {
			err = fmt.Errorf("%d events %s", len(found), id)
		}
		return err
	}
	person := func(id string) error {
		found, err := store.Person(b.Context(), id, 50, story.Cursor{})
		if err == nil && len(found.Entries) == 0 {
			err = fmt.Errorf("nothing about %s", id)
		}
		return err
	}
	page := func(path string) error {
		if status, _ := w.page(b, path, nil); status != http.StatusOK {
			return fmt.Errorf("%s: status %d", path, status)
		}
		return nil
	}
	for _, look := range []struct {
		name string
		up   func(i int) error
	}{
		{"messageId", func(i int) error { return event(fmt.Sprint("m-", i*7919%n+1)) }},
		{"userId", func(i int) error { return person(fmt.Sprint("user-", i*7919%people)) }},
		{"e-mail", func(i int) error { return person(fmt.Sprintf("user%d@example.com", i*7919%people)) }},
		{"anonymousId", func(i int) error { return person(fmt.Sprint("visitor-", i*7919%people)) }},
		{"page of an event", func(i int) error { return page(fmt.Sprint("/event?source=app&id=m-", i*7919%n+1)) }},
		{"page of a person", func(i int) error { return page(fmt.Sprint("/person?id=user-", i*7919%people)) }},
	} {
		b.Run(look.name, func(b *testing.B) {
			var all []time.Duration
			for i := 0; b.Loop(); i++ {
				started := time.Now()
				if err := look.up(i); err != nil {
					b.Fatal(err)
				}
				all = append(all, time.Since(started))
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(all[len(all)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}
