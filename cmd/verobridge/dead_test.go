package main

import (
	"bytes"
	"fmt"
	"io"
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
	if out := w.mustCommand(t, "dead", "retry", "--all"); out != "no dead letters\n" {
		t.Errorf("dead retry --all: %s", out)
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

// What is misspelt or left out does not mean everything.
func TestAdminAPITakesNothingByMistake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vero.Fault(mockvero.Fault{Status: http.StatusUnprocessableEntity, Count: -1})
	w.post(t, "/v1/track", appKey, trackCall("refused", "user"))
	w.await(t, "the dead letter", `select count(*) = 1 from verobridge.deliveries where destination = 'vero' and status = 'dead'`)
	for call, want := range map[string]string{
		"POST /api/dead/drop":                                 "all=true",
		"POST /api/dead/retry?all=1":                          "all=true",
		"POST /api/dead/drop?destination=":                    "all=true",
		"POST /api/dead/drop?up_to=1000":                      "all=true",
		"POST /api/dead/drop?detination=vero":                 `no parameter "detination"`,
		"POST /api/dead/retry?destination=veor":               "destination must be one of warehouse, vero",
		"GET /api/dead?destination=veor":                      "destination must be one of warehouse, vero",
		"GET /api/replay/queue?destination=veor":              "destination must be one of warehouse, vero",
		"GET /api/events?limit=1":                             `no parameter "limit"`,
		"POST /api/forget?userId=user":                        `no parameter "userId"`,
		"POST /api/dead/drop?destination=vero;reason=unknown": "semicolon",
	} {
		method, path, _ := strings.Cut(call, " ")
		status, body := w.admin(t, method, path, "")
		if status != http.StatusBadRequest || !strings.Contains(strings.ReplaceAll(body, `\"`, `"`), want) {
			t.Errorf("%s: %d %s, want 400 and %s", call, status, body, want)
		}
	}
	if status, body := w.admin(t, http.MethodPost, "/api/dead/drop?all=true&up_to=1000", ""); status != http.StatusOK || !strings.Contains(body, `"letters":1`) {
		t.Errorf("with all=true: %d %s", status, body)
	}
}

// What comes in between the question and the answer is not dropped with the rest.
func TestDeadDropTakesWhatItCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vero.Fault(mockvero.Fault{Status: http.StatusUnprocessableEntity, Count: -1})
	refuse := func(id string) {
		w.post(t, "/v1/track", appKey, trackCall(id, "user"))
		w.await(t, id, `select count(*) = 1 from verobridge.deliveries where status = 'dead' and message_id = '`+id+`'`)
	}
	refuse("counted")
	answers := readerFunc(func(p []byte) (int, error) {
		refuse("later")
		return copy(p, "y\n"), nil
	})
	cmd := deadCommand(nil)
	cmd.SetArgs([]string{"drop", "--all", "--admin", "http://" + w.bridge.adminAddr})
	cmd.SetIn(answers)
	cmd.SetOut(io.Discard)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := w.mustCommand(t, "dead", "list"); strings.Contains(list, "counted") || !strings.Contains(list, "later") {
		t.Errorf("left are\n%s", list)
	}
}

// readerFunc is a reader of answers that come when they are asked for.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A name of a stranger that leads to this machine is not this machine.
func TestAdminAPIRefusesOtherHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for host, want := range map[string]int{
		"": http.StatusOK, "localhost": http.StatusOK, "localhost:8081": http.StatusOK, "[::1]": http.StatusOK, "[::1]:8081": http.StatusOK, "127.0.0.1": http.StatusOK,
		"evil.example": http.StatusForbidden, "evil.example:8081": http.StatusForbidden, "127.0.0.1.evil.example:80": http.StatusForbidden, "10.0.0.1:80": http.StatusForbidden,
	} {
		if status, body := w.admin(t, http.MethodGet, "/api/events", host); status != want {
			t.Errorf("host %q: %d %s, want %d", host, status, body, want)
		}
	}
	if status, _ := w.admin(t, http.MethodGet, "/healthz", "evil.example"); status != http.StatusOK {
		t.Errorf("/healthz by another name: %d, want 200: platforms probe it by any", status)
	}
}

// admin asks the admin address under the name of a host, "" for its own.
func (w *world) admin(t *testing.T, method, path, host string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.bridge.adminAddr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	return answer(t, request)
}
