package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/mockvero"
	"github.com/verobridge/verobridge/internal/retention"
	"github.com/verobridge/verobridge/migrations"
)

// The bridge deletes rows that are old when it starts, and no others.
func TestTheBridgeDeletesOldRows(t *testing.T) {
	t.Parallel()
	s := testSettings(t, serve(t, mockvero.New(mockvero.Options{AuthToken: veroToken})))
	if _, err := migrations.Up(t.Context(), s.Warehouse.URL); err != nil {
		t.Fatal(err)
	}
	w := &world{db: connect(t, s.Warehouse.URL)}
	if _, err := w.db.Exec(t.Context(), `
		insert into verobridge.deliveries (source, message_id, destination, type, status, reason, detail, attempts, received_at)
		select 'app', 'of-' || days, 'vero', 'track', 'delivered', 'delivered', '', 1, now() - days * interval '1 day'
		from unnest(array[89, 91, 400]) days`); err != nil {
		t.Fatal(err)
	}
	w.bridge = startTestBridge(t, s, slog.New(slog.DiscardHandler))
	w.await(t, "the deletion of old rows", `select array_agg(message_id) = '{of-89}' from verobridge.deliveries`)
}

// Rows that are old stay while people may yet send the event again, and while a
// destination takes nothing; afterwards each event has all of its rows, or none.
func TestWhatMayYetBeSentKeepsItsRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	later, err := retention.Open(retention.Options{
		URL: w.bridge.settings.Warehouse.URL, Keep: 90 * 24 * time.Hour, OldestLetter: w.bridge.oldestLetter,
		Now: func() time.Time { return time.Now().Add(91 * 24 * time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	expire := func(want int) {
		t.Helper()
		if _, err := later.Expire(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		if n := count(t, w.db, "select count(*) from verobridge.deliveries where destination = 'warehouse'"); n != want {
			t.Errorf("%d events are left, want %d", n, want)
		}
		w.wantUnaccounted(t, 0)
	}
	const promise = `select bool_and(complete_until > (select max(received_at) from verobridge.deliveries)) and count(*) = 2 from verobridge.destinations`

	w.vero.Fault(mockvero.Fault{Status: http.StatusUnprocessableEntity})
	w.post(t, "/v1/track", appKey, trackCall("letter", "1"))
	w.await(t, "the dead letter", `select count(*) = 1 from verobridge.deliveries where destination = 'vero' and status = 'dead'`)
	w.await(t, "the promise that all is told", promise)
	expire(1)
	w.mustCommand(t, "dead", "retry", "letter")
	w.await(t, "the second delivery", `select count(*) = 1 from verobridge.deliveries where destination = 'vero' and status = 'delivered'`)
	w.wantUnaccounted(t, 0)
	expire(0)

	w.vero.Fault(mockvero.Fault{Status: http.StatusUnauthorized, Count: -1})
	for i := range 5 {
		w.post(t, "/v1/track", appKey, trackCall(fmt.Sprintf("paused-%d", i), fmt.Sprint(i)))
	}
	w.await(t, "the rows at the warehouse", `select count(*) = 5 from verobridge.deliveries where destination = 'warehouse' and status = 'delivered'`)
	expire(5)
	w.vero.ClearFaults()
	w.await(t, "the deliveries", `select count(*) = 5 from verobridge.deliveries where destination = 'vero' and status = 'delivered'`)
	w.await(t, "the promise that all is told", promise)
	expire(0)
}
