package main

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// A call with the same messageId is one row and one event at Vero: in one
// batch, in two, by another path, and after the bridge was stopped and started.
func TestSameMessageIDIsOneRow(t *testing.T) {
	t.Parallel()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(t, serve(t, vero))
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	const call = `{"type":"track","messageId":"twice","userId":"u","event":"Signed Up","timestamp":"2026-01-02T03:04:05Z"}`
	w := &world{db: connect(t, s.Warehouse.URL), vero: vero}
	for run := range 2 {
		b := startTestBridge(t, s, log)
		w.bridge, w.url = b, "http://"+b.publicAddr
		w.post(t, "/v1/batch", appKey, []byte(`{"batch":[`+strings.Repeat(call+",", 3)+call+`]}`))
		w.post(t, "/v1/import", appKey, []byte(`{"batch":[`+call+`]}`))
		w.post(t, "/v1/t", appKey, []byte(call))
		w.settle(t, fmt.Sprint("run", run))
		stopBridge(t, b)
	}
	for _, table := range []string{"tracks", "signed_up"} {
		if n := w.text(t, `select count(*)::text from app.`+table+` where user_id = 'u'`); n != "1" {
			t.Errorf("app.%s has %s rows, want 1", table, n)
		}
	}
	if events := vero.Effects().Users["u"].Events; len(events) != 1 {
		t.Errorf("Vero has %d events, want 1", len(events))
	}
}
