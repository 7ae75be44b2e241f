package main

import (
	"log/slog"
	"testing"

	"github.com/verobridge/verobridge/internal/mockvero"
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
