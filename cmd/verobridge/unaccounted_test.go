package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// Every event has a row at each destination of its source, or its destination
// says since when it is behind: also while one is paused, and after a restart.
// The view that says so can say the contrary.
func TestNoEventIsUnaccounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 40 {
		w.post(t, "/v1/track", appKey, trackCall(fmt.Sprintf("before-%02d", i), fmt.Sprint(i%7)))
	}
	w.post(t, "/v1/batch", appKey, []byte(`{"batch":[{"type":"nothing","messageId":"refused"},{"type":"track","messageId":"good","userId":"1","event":"E"}]}`))
	w.settle(t, "first")
	w.vero.Fault(mockvero.Fault{Status: http.StatusUnauthorized, Count: -1})
	for i := range 10 {
		w.post(t, "/v1/track", appKey, trackCall(fmt.Sprintf("paused-%02d", i), fmt.Sprint(i)))
	}
	w.await(t, "the pause in SQL", `
		select state = 'paused' and reason = 'credentials_refused' and detail like '%401%' and behind_since is not null
		from verobridge.destinations where name = 'vero'`)
	w.await(t, "the rows at the warehouse", `
		select count(*) = 10 from verobridge.deliveries where message_id like 'paused-%' and destination = 'warehouse'`)
	if n := count(t, w.db, "select count(*) from verobridge.deliveries where message_id like 'paused-%' and destination = 'vero'"); n == 10 {
		t.Error("each event that waits behind the pause has a row; the view has nothing to explain")
	}
	w.wantUnaccounted(t, 0)

	w.restart(t)
	w.wantUnaccounted(t, 0)
	w.vero.ClearFaults()
	w.await(t, "the promise that all is told", `
		select bool_and(complete_until > (select max(received_at) from verobridge.deliveries)) and count(*) = 2 from verobridge.destinations`)
	w.wantUnaccounted(t, 0)
	w.await(t, "an end of the pause", `
		select state = 'running' and reason is null and behind_since is null from verobridge.destinations where name = 'vero'`)

	if _, err := w.db.Exec(t.Context(), "delete from verobridge.deliveries where message_id = 'paused-03' and destination = 'vero'"); err != nil {
		t.Fatal(err)
	}
	w.wantUnaccounted(t, 1)
}

func (w *world) wantUnaccounted(t *testing.T, want int) {
	t.Helper()
	if n := count(t, w.db, "select count(*) from verobridge.unaccounted"); n != want {
		t.Errorf("%d events are unaccounted for, want %d", n, want)
	}
}

// restart stops the bridge and starts it again.
func (w *world) restart(t *testing.T) {
	t.Helper()
	stopBridge(t, w.bridge)
	w.bridge = startTestBridge(t, w.bridge.settings, w.bridge.log)
	w.url = "http://" + w.bridge.publicAddr
}

// A request that is refused as a whole leaves what it said of itself.
func TestRefusalsAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	began := time.Now()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/v1/track", strings.NewReader(`{"messageId":"wrong-key","userId":"u","event":"E"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("mistyped-write-key", "")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Fatalf("answered %s", answer.Status)
	}
	w.await(t, "the refusal", `
		select reason = 'unknown_write_key' and write_key = 'mist…' and source is null and at >= $1
		from verobridge.refusals where message_ids @> array['wrong-key']`, began.Add(-time.Second))
}
