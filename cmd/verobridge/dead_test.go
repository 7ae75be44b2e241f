package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// command runs a subcommand against a test's bridge and returns what it writes.
func (w *world) command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, errs bytes.Buffer
	err := run(t.Context(), append(args, "--admin", "http://"+w.bridge.adminAddr), nil, &out, &errs)
	return out.String(), err
}

func (w *world) mustCommand(t *testing.T, args ...string) string {
	t.Helper()
	out, err := w.command(t, args...)
	if err != nil {
		t.Fatalf("verobridge %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func TestDeadLettersFromTheCommandLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if out := w.mustCommand(t, "dead", "list"); !strings.Contains(out, "no dead letters") {
		t.Errorf("dead list: %s", out)
	}
	w.vero.Fault(mockvero.Fault{Status: http.StatusUnprocessableEntity, Body: `{"message":"event_name is taken"}`, Count: -1})
	for n := range 3 {
		w.post(t, "/v1/track", appKey, trackCall(fmt.Sprintf("refused-%d", n), fmt.Sprint("user", n)))
	}
	w.await(t, "the dead letters", `select count(*) = 3 from verobridge.deliveries where destination = 'vero' and status = 'dead'`)
	w.vero.ClearFaults()

	list := w.mustCommand(t, "dead", "list", "--destination", "vero", "--reason", "bad_request", "--since", "1h")
	for _, want := range []string{"refused-0", "refused-1", "refused-2", "user2", "Tested", "bad_request", "dead"} {
		if !strings.Contains(list, want) {
			t.Errorf("dead list does not show %s:\n%s", want, list)
		}
	}
	if out := w.mustCommand(t, "dead", "list", "--json", "--user", "user1"); !strings.Contains(out, `"id":"refused-1"`) || strings.Count(out, "\n") != 1 {
		t.Errorf("dead list --json --user user1: %s", out)
	}
	if out := w.mustCommand(t, "dead", "show", "refused-1"); !strings.Contains(out, "event_name is taken") || !strings.Contains(out, `"userId": "user1"`) {
		t.Errorf("dead show: %s, want the answer and the event", out)
	}
	for _, args := range [][]string{
		{"dead", "retry"}, {"dead", "drop"}, {"dead", "drop", "--all"}, {"dead", "show", "unknown"}, {"dead", "list", "--since", "soon"},
	} {
		if out, err := w.command(t, args...); err == nil {
			t.Errorf("%v succeeds: %s", args, out)
		} else {
			t.Logf("%v: %v", args, err)
		}
	}

	if out := w.mustCommand(t, "dead", "retry", "refused-1"); !strings.HasPrefix(out, "1 ") {
		t.Errorf("dead retry: %s", out)
	}
	w.await(t, "the second delivery", `
		select exists(select from verobridge.deliveries
			where message_id = 'refused-1' and destination = 'vero' and status = 'delivered' and attempts = 2)`)
	if out := w.mustCommand(t, "dead", "drop", "--event", "Tested", "--yes"); !strings.Contains(out, "deleted 2") {
		t.Errorf("dead drop: %s", out)
	}
	if out := w.mustCommand(t, "dead", "list"); !strings.Contains(out, "no dead letters") {
		t.Errorf("dead list at the end: %s", out)
	}
	if got := w.vero.Totals().Events; got != 1 {
		t.Errorf("Vero has %d events, want 1", got)
	}
}

// A page of another site cannot change anything through an operator's browser.
func TestAdminAPIRefusesOtherSites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.bridge.adminAddr+"/api/dead/drop", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("answered %s", answer.Status)
	}
}
