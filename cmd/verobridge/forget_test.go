package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// forgetNow runs the command against the running bridge.
func (w *world) forgetNow(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	var out bytes.Buffer
	args = append([]string{"forget", "--yes", "--admin", "http://" + w.bridge.adminAddr}, args...)
	err = run(t.Context(), args, func(string) (string, bool) { return "", false }, &out, &out)
	return out.String(), err
}

// mentions lists the tables that hold a text anywhere.
func (w *world) mentions(t *testing.T, text string) []string {
	t.Helper()
	rows, err := w.db.Query(t.Context(), `
		select table_schema || '.' || table_name from information_schema.tables
		where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema') order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, table := range tables {
		var any bool
		query := fmt.Sprintf("select exists(select from %s t where strpos(lower(t::text), lower($1)) > 0)", table)
		if err := w.db.QueryRow(t.Context(), query, text).Scan(&any); err != nil {
			t.Fatal(err)
		}
		if any {
			found = append(found, table)
		}
	}
	return found
}

// populate lets Ann and somebody who shares a device with her leave traces
// everywhere.
func (w *world) populate(t *testing.T) {
	t.Helper()
	w.post(t, "/v1/batch", appKey, []byte(`{"batch":[
		{"type":"track","messageId":"m1","anonymousId":"ann-phone","event":"Cart Viewed"},
		{"type":"track","messageId":"m2","anonymousId":"ann-tablet","event":"Page Left"},
		{"type":"identify","messageId":"m3","userId":"ann-1","anonymousId":"ann-phone","traits":{"email":"Ann@Example.com","age":30}},
		{"type":"identify","messageId":"m4","userId":"ann-1","traits":{"age":"thirty"}},
		{"type":"track","messageId":"m5","userId":"ann-1","anonymousId":"ann-tablet","event":"Bought","properties":{"total":10}},
		{"type":"group","messageId":"m7","userId":"ann-1","groupId":"g1","traits":{"name":"Acme"}},
		{"type":"page","messageId":"m8","userId":"ann-1","name":"Home"},
		{"type":"alias","messageId":"m9","userId":"ann-1","previousId":"ann-0"},
		{"type":"track","messageId":"m10","userId":"ann-0","event":"Bought"},
		{"type":"track","messageId":"m11","userId":"ann-1"},
		{"type":"track","messageId":"m12","context":{"traits":{"email":"ann@example.com"}},"anonymousId":"elsewhere","event":"Subscribed"},
		{"type":"identify","messageId":"b1","userId":"bob-1","anonymousId":"ann-tablet","traits":{"email":"bob@example.com"}},
		{"type":"track","messageId":"b2","userId":"bob-1","anonymousId":"ann-phone","event":"Bought","properties":{"total":5}}]}`))
	w.post(t, "/v1/track", veroKey, []byte(`{"messageId":"v1","anonymousId":"ann@example.com","event":"Email Opened","properties":{"email_id":"e1"}}`))
	w.post(t, "/v1/track", veroKey, []byte(`{"messageId":"v2","userId":"bob-1","event":"Email Opened","properties":{"email_id":"e2"}}`))
}

func TestForget(t *testing.T) {
	t.Parallel()
	w := holdingWorld(t)
	w.vero.Fault(mockvero.Fault{Status: http.StatusBadRequest, Match: `"m10"`}) // a dead letter
	w.populate(t)
	w.settle(t, "populate")
	w.post(t, "/v1/track", appKey, []byte(`{"messageId":"m6","userId":"ann-1","event":"Bought","properties":{"total":"ten of ann-1"}}`)) // does not fit
	w.settle(t, "discarded")
	w.await(t, "the dead letter", `select exists(select from verobridge.deliveries where message_id = 'm10' and status = 'dead')`)
	if found := w.mentions(t, "ann-1"); len(found) < 8 {
		t.Fatalf("only %v mention Ann", found)
	}

	output, err := w.forgetNow(t, "--email", "ANN@example.com")
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, known := range []string{"user ids: ann-0, ann-1\n", "addresses: ann@example.com\n", "the person is erased\n", " app.discards\n", " verobridge.rejected_events\n"} {
		if !strings.Contains(output, known) {
			t.Errorf("the output lacks %q:\n%s", known, output)
		}
	}
	for _, id := range []string{"ann-1", "ann-0", "ann@example.com"} {
		if found := w.mentions(t, id); found != nil {
			t.Errorf("%s is still in %v", id, found)
		}
	}
	for _, id := range []string{"bob-1", "bob@example.com"} {
		if found := w.mentions(t, id); len(found) < 3 {
			t.Errorf("%s is left in %v alone", id, found)
		}
	}
	w.await(t, "Bob's rows to be left", `select count(*) = 1 from app.bought`)
	if diff := cmp.Diff([]string{"ann-1", "ann@example.com"}, slices.Sorted(slices.Values(w.vero.Effects().Deleted))); diff != "" {
		t.Errorf("deleted at Vero (-want +got):\n%s", diff)
	}
	var letters bytes.Buffer
	if err := run(t.Context(), []string{"dead", "list", "--admin", "http://" + w.bridge.adminAddr}, nil, &letters, &letters); err != nil || strings.Contains(letters.String(), "m10") {
		t.Errorf("dead letters: %v\n%s", err, letters.String())
	}

	// From now on nothing about her gets anywhere, under any of her names.
	calls := w.vero.Totals().Calls
	w.populate(t)
	w.settle(t, "again")
	w.await(t, "her events to be skipped everywhere", `
		select count(*) = 18 from verobridge.deliveries
		where message_id in ('m1', 'm3', 'm4', 'm5', 'm7', 'm8', 'm9', 'm10', 'm12') and status = 'skipped' and reason = 'suppressed'`)
	for _, id := range []string{"ann-1", "ann-0", "ann@example.com"} {
		if found := w.mentions(t, id); found != nil {
			t.Errorf("%s came back in %v", id, found)
		}
	}
	for _, c := range w.vero.Calls()[calls:] {
		if strings.Contains(strings.ToLower(string(c.Body)), "ann") && !strings.Contains(string(c.Body), "bob-1") {
			t.Errorf("Vero got %s", c.Body)
		}
	}

	// To forget twice is to forget once.
	if output, err := w.forgetNow(t, "--user-id", "ann-1"); err != nil {
		t.Errorf("again: %v\n%s", err, output)
	}
	w.await(t, "two receipts", `select count(*) = 2 and bool_and(finished_at is not null) from verobridge.erasures`)
}

// A visitor who gave an address and no userId is found by it, and deleted at Vero
// under the anonymousId too, which some mappings take for an id.
func TestForgetAVisitorByAddress(t *testing.T) {
	t.Parallel()
	w := holdingWorld(t)
	w.post(t, "/v1/batch", appKey, []byte(`{"batch":[
		{"type":"identify","messageId":"x1","anonymousId":"visitor-x","traits":{"email":"Only@example.com"}},
		{"type":"track","messageId":"x2","anonymousId":"visitor-x","event":"Cart Viewed"},
		{"type":"track","messageId":"x3","anonymousId":"visitor-x","event":"Secret Seen"}]}`))
	w.settle(t, "visit")
	if found := w.mentions(t, "visitor-x"); len(found) < 4 {
		t.Fatalf("only %v mention the visitor", found)
	}
	output, err := w.forgetNow(t, "--email", "only@example.com")
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, id := range []string{"visitor-x", "only@example.com"} {
		if found := w.mentions(t, id); found != nil {
			t.Errorf("%s is still in %v", id, found)
		}
	}
	var asked []string
	for _, c := range w.vero.Calls() {
		if c.Path == "users/delete" {
			asked = append(asked, gjson.GetBytes(c.Body, "id").String())
		}
	}
	if diff := cmp.Diff([]string{"only@example.com", "visitor-x"}, asked); diff != "" {
		t.Errorf("Vero was asked to delete (-want +got):\n%s", diff)
	}
}

// What Vero does not delete now remains, and the same command goes on with it.
func TestForgetWhileVeroIsDown(t *testing.T) {
	t.Parallel()
	w := holdingWorld(t)
	w.populate(t)
	w.settle(t, "populate")
	w.vero.Fault(mockvero.Fault{Status: http.StatusInternalServerError, Path: "users/delete", Count: -1})
	output, err := w.forgetNow(t, "--anonymous-id", "ann-phone")
	if err == nil || !strings.Contains(output, "people at vero: ") {
		t.Fatalf("error %v, want what remains\n%s", err, output)
	}
	if diff := cmp.Diff([]string{"app.aliases", "app.identifies", "app.users", "verobridge.identities"}, w.mentions(t, "ann-1")); diff != "" {
		t.Errorf("where Ann is left (-want +got):\n%s", diff)
	}
	w.vero.ClearFaults()
	if output, err := w.forgetNow(t, "--anonymous-id", "ann-phone"); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if found := w.mentions(t, "ann-1"); found != nil {
		t.Errorf("Ann is still in %v", found)
	}
	w.await(t, "one receipt that is finished", `
		select count(*) = 1 and bool_and(finished_at is not null and remaining = '{}' and (counts->>'app.bought')::int = 2) from verobridge.erasures`)
}

// Who was erased is not sent anywhere after a restart either, though Postgres is
// down then, and though the database was replaced by an older one.
func TestForgottenStaySo(t *testing.T) {
	t.Parallel()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(t, serve(t, vero))
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	b := startTestBridge(t, s, log)
	w := &world{bridge: b, db: connect(t, s.Warehouse.URL), vero: vero, url: "http://" + b.publicAddr}
	w.settle(t, "start")
	if output, err := w.forgetNow(t, "--user-id", "ann-1"); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	stopBridge(t, b)
	if _, err := w.db.Exec(t.Context(), "truncate verobridge.suppressions, verobridge.suppression_salt"); err != nil {
		t.Fatal(err)
	}
	reachable := s.Warehouse.URL
	s.Warehouse.URL = noDatabase
	b = startTestBridge(t, s, log)
	w.bridge, w.url = b, "http://"+b.publicAddr
	events := vero.Totals().Events
	w.post(t, "/v1/track", appKey, trackCall("hers", "ann-1"))
	w.post(t, "/v1/track", appKey, trackCall("his", "bob-1"))
	awaitCondition(t, "Bob's event", func() bool { return vero.Totals().Events == events+1 })
	stopBridge(t, b)
	s.Warehouse.URL = reachable
	b = startTestBridge(t, s, log)
	w.bridge, w.url = b, "http://"+b.publicAddr
	w.fate(t, "skipped", "suppressed", "hers")
	w.await(t, "the suppression in the database", `select count(*) = 1 from verobridge.suppressions`)
	if len(vero.Effects().Users["ann-1"].Events) != 0 {
		t.Error("Ann's event reached Vero")
	}
}
