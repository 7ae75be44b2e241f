package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/mockvero"
)

func TestReplayFromTheCommandLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vero.Fault(mockvero.Fault{Status: http.StatusUnprocessableEntity, Match: "refused", Count: -1})
	before := time.Now().UTC().Format(time.RFC3339Nano)
	var want []string
	for n := range 5 {
		id := fmt.Sprintf("sent-%d", n)
		w.post(t, "/v1/track", appKey, trackCall(id, "ann"))
		want = append(want, id)
	}
	w.post(t, "/v1/track", appKey, trackCall("refused", "bob"))
	w.settle(t, "replay")
	w.vero.ClearFaults()

	replay := func(args ...string) string {
		t.Helper()
		return w.mustCommand(t, append([]string{"replay", "--destination", "vero", "--from", before, "--event", "Tested"}, args...)...)
	}
	plan := replay()
	for _, line := range []string{"6 events match", "5 were delivered", "1 failed for good", "0 to send"} {
		if !strings.Contains(plan, line) {
			t.Errorf("the plan does not say %q:\n%s", line, plan)
		}
	}

	// What is not known to be delivered is sent once, however often it is asked for.
	if _, err := w.db.Exec(t.Context(), `delete from verobridge.deliveries where message_id in ('sent-1', 'sent-3')`); err != nil {
		t.Fatal(err)
	}
	if out := replay("--yes"); !strings.Contains(out, "2 to send") || !strings.Contains(out, "all are sent") {
		t.Errorf("replay: %s", out)
	}
	if out := replay("--yes"); !strings.Contains(out, "0 to send") {
		t.Errorf("a second time: %s", out)
	}
	w.await(t, "their reports", `select count(*) = 2 from verobridge.deliveries where message_id in ('sent-1', 'sent-3') and destination = 'vero' and status = 'delivered'`)

	// With force all of them, in order; Vero knows those of a person as repeated.
	calls := w.vero.Totals().Calls
	if out := replay("--yes", "--force", "--user", "ann", "--rate", "1000"); !strings.Contains(out, "5 to send") {
		t.Errorf("with force: %s", out)
	}
	if got := w.vero.Totals().Calls - calls; got != 5 {
		t.Errorf("Vero got %d calls, want 5", got)
	}
	var got []string
	for _, e := range w.vero.Effects().Users["ann"].Events {
		got = append(got, messageID(t, e))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events at Vero (-want +got):\n%s", diff)
	}

	// The warehouse can be sent to again as well.
	if _, err := w.db.Exec(t.Context(), `delete from app.tested where id = 'sent-0'`); err != nil {
		t.Fatal(err)
	}
	w.mustCommand(t, "replay", "--destination", "warehouse", "--from", before, "--user", "ann", "--force", "--yes")
	w.await(t, "the row", `select exists(select from app.tested where id = 'sent-0')`)
}

func TestReplaySaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for want, args := range map[string][]string{
		"one of warehouse, vero":   {"--destination", "posthog", "--from", "1h"},
		"from must be a time such": {"--destination", "vero", "--from", "soon"},
		"a time before to":         {"--destination", "vero", "--from", "1h", "--to", "2h"},
		"required flag":            {"--destination", "vero"},
	} {
		_, err := w.command(t, slices.Concat([]string{"replay"}, args)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want an error that says %q", args, err, want)
		}
	}
}
