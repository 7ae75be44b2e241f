package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/localpg"
	"github.com/verobridge/verobridge/internal/mockvero"
)

func trackCall(id, user string) []byte {
	return fmt.Appendf(nil, `{"messageId":%q,"userId":%q,"event":"Tested"}`, id, user)
}

// Events are accepted while Postgres is down, also at the start, and become
// rows when it is back. Vero's emails do not depend on it, once it has been
// there to say who was erased; also after a restart.
func TestPostgresDown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startPostgres := func() *localpg.Server {
		server, err := localpg.Start(t.Context(), localpg.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return server
	}
	stopPostgres := func(server *localpg.Server) {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	postgres := startPostgres()
	url := postgres.URL()
	stopPostgres(postgres)
	// After the bridges, whose tables are looked through when they have stopped.
	t.Cleanup(func() { stopPostgres(postgres) })

	vero := mockvero.New(mockvero.Options{})
	s := testSettings(t, serve(t, vero))
	s.Warehouse.URL = url
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	w := &world{bridge: b, vero: vero, url: "http://" + b.publicAddr}

	w.post(t, "/v1/track", appKey, trackCall("while-down", "1"))
	if status, body := get(t, "http://"+b.adminAddr+"/readyz", ""); status != http.StatusOK {
		t.Errorf("/readyz while Postgres is down: %d %s, want 200", status, body)
	}

	postgres = startPostgres()
	if postgres.URL() != url {
		t.Fatalf("Postgres came back at %s, not %s", postgres.URL(), url)
	}
	w.db = connect(t, url)
	w.await(t, "the row", `select exists(select from app.tracks where id = 'while-down')`)
	awaitCondition(t, "Vero's event", func() bool { return vero.Totals().Events == 1 })

	_ = w.db.Close(t.Context())
	stopPostgres(postgres)
	w.post(t, "/v1/track", appKey, trackCall("down-again", "1"))
	awaitCondition(t, "Vero's event while Postgres is down", func() bool { return vero.Totals().Events == 2 })
	stopBridge(t, b)
	b = startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	w = &world{bridge: b, vero: vero, url: "http://" + b.publicAddr}
	w.post(t, "/v1/track", appKey, trackCall("after-restart", "1"))
	awaitCondition(t, "Vero's event after a restart while Postgres is down", func() bool { return vero.Totals().Events == 3 })
	postgres = startPostgres()
	w.db = connect(t, url)
	w.await(t, "the second row", `select exists(select from app.tested where id = 'down-again')`)
	w.await(t, "the reports of what Vero took meanwhile", `
		select count(*) = 3 from verobridge.deliveries where destination = 'vero' and status = 'delivered'`)
}

// While Vero refuses all calls, for the token or for their number, everything is
// kept; afterwards it arrives by itself, each person's events in order, once.
func TestVeroRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault  mockvero.Fault
		reason string
	}{
		"the token":           {mockvero.Fault{Status: http.StatusUnauthorized}, "credentials_refused"},
		"what the token may":  {mockvero.Fault{Status: http.StatusForbidden}, "credentials_refused"},
		"the number of calls": {mockvero.Fault{Status: http.StatusTooManyRequests, RetryAfter: "1"}, "throttled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			fault := test.fault
			fault.Count = -1
			w.vero.Fault(fault)
			var want []string
			for n := range 5 {
				id := fmt.Sprintf("kept-%d", n)
				w.post(t, "/v1/track", appKey, trackCall(id, "1"))
				want = append(want, id)
			}
			w.await(t, "the first event to wait, with its reason", `
				select exists(select from verobridge.deliveries
					where message_id = 'kept-0' and destination = 'vero' and status = 'waiting'
					  and reason = $1 and calls->0->>'status' = $2)`, test.reason, fmt.Sprint(fault.Status))
			w.await(t, "the rows meanwhile", `select count(*) = 5 from app.tested`)
			w.vero.ClearFaults()
			w.await(t, "the deliveries", `
				select count(*) = 5 from verobridge.deliveries where destination = 'vero' and status = 'delivered' and message_id like 'kept-%'`)
			var got []string
			for _, e := range w.vero.Effects().Users["1"].Events {
				got = append(got, messageID(t, e))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("events at Vero (-want +got):\n%s", diff)
			}
		})
	}
}

// The program stops in time while Vero hangs, and goes on where it was.
func TestStopWhileVeroHangs(t *testing.T) {
	t.Parallel()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(t, serve(t, vero))
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	b := startTestBridge(t, s, log)
	vero.Fault(mockvero.Fault{Delay: time.Hour, Count: -1})
	w := &world{bridge: b, url: "http://" + b.publicAddr}
	w.post(t, "/v1/track", appKey, trackCall("hangs", "1"))
	awaitCondition(t, "the call that hangs", func() bool { return vero.Totals().Calls > 0 })

	started := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), stopTimeout)
	defer cancel()
	if err := b.stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	t.Logf("stopped in %s", time.Since(started))

	vero.ClearFaults()
	startTestBridge(t, s, log)
	db := connect(t, s.Warehouse.URL)
	w = &world{db: db}
	w.await(t, "the delivery after the restart", `
		select exists(select from verobridge.deliveries where message_id = 'hangs' and destination = 'vero' and status = 'delivered')`)
	if got := vero.Totals().Events; got != 1 {
		t.Errorf("Vero has %d events, want 1", got)
	}
}

// An error at the start names what is wrong, and leaves nothing running.
func TestStartFails(t *testing.T) {
	t.Parallel()
	s := testSettings(t, "http://127.0.0.1:1")
	first := startTestBridge(t, s, slog.New(slog.DiscardHandler))
	s.Listen = first.publicAddr
	s.DataDir = t.TempDir()
	_, err := startBridge(t.Context(), s, watch(t, s, slog.New(slog.DiscardHandler)))
	if err == nil {
		t.Fatal("two bridges listen on one address")
	}
	s.Listen = "127.0.0.1:0"
	startTestBridge(t, s, slog.New(slog.DiscardHandler)) // the data directory is free again
}

// messageID returns the id that the bridge puts into an event's data.
func messageID(t *testing.T, e mockvero.Event) string {
	t.Helper()
	var data struct {
		ID string `json:"segment_message_id"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatal(err)
	}
	return data.ID
}
