package torture

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/mockvero"
	"github.com/verobridge/verobridge/internal/pgtest"
	"github.com/verobridge/verobridge/internal/rig"
	"github.com/verobridge/verobridge/migrations"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// past is a world in which everything has happened, well or badly.
type past struct {
	*world
	db      *pgx.Conn
	address string // of Vero
}

// newPast returns a world in which a bridge has kept every promise for two people
// with three events each, and the ids of the first one's.
func newPast(t *testing.T) (past, []string) {
	t.Helper()
	database := pgtest.Database(t)
	if _, err := migrations.Up(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken, Window: time.Nanosecond})
	server := httptest.NewServer(vero)
	t.Cleanup(func() { server.Close(); vero.Close() })
	db, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(t.Context()) })
	w := past{db: db, address: server.URL, world: &world{
		database: rig.Database{Superuser: database}, vero: vero, ledger: newLedger(), settlePatience: 300 * time.Millisecond,
	}}
	w.sql(t, "create schema app")
	w.sql(t, "create table app.tracks (id text); create table app."+eventTable+" (id text)")
	for _, destination := range []string{"vero", "warehouse"} {
		w.sql(t, `insert into verobridge.destinations (name, type, state, since, complete_until, backlog_records, retrying_events, updated_at)
			values ($1, $1, 'running', now(), now() + interval '1 hour', 0, 0, now())`, destination)
		w.sql(t, `insert into verobridge.routes values ('app', $1, '2020-01-01')`, destination)
	}
	var anns []string
	for n := range 3 {
		for client, person := range []string{"ann", "bob"} {
			id := fmt.Sprintf("%d-%09d", client, n)
			if client == 0 {
				anns = append(anns, id)
			}
			w.ledger.acknowledge([]string{id}, time.Millisecond)
			w.load(t, id)
			w.track(t, person, id)
			for _, destination := range []string{"vero", "warehouse"} {
				w.report(t, id, destination, "delivered")
			}
		}
	}
	return w, anns
}

func (w past) sql(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := w.db.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// load makes the rows of an event.
func (w past) load(t *testing.T, id string) {
	t.Helper()
	for _, table := range []string{"tracks", eventTable} {
		w.sql(t, "insert into app."+table+" values ($1)", id)
	}
}

// track lets an event take effect at Vero.
func (w past) track(t *testing.T, person, id string) {
	t.Helper()
	body := fmt.Sprintf(`{"auth_token":%q,"identity":{"id":%q},"event_name":"Load Sent","data":{"segment_message_id":%q}}`, veroToken, person, id)
	answer, err := http.Post(w.address+"/api/v2/events/track", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("Vero answers %s", answer.Status)
	}
}

func (w past) report(t *testing.T, id, destination, status string) {
	t.Helper()
	w.sql(t, `insert into verobridge.deliveries (source, message_id, destination, type, status, reason, detail, attempts, received_at)
		values ('app', $1, $2, 'track', $3, 'delivered', '', 1, now())`, id, destination, status)
}

// Each kind of broken promise is found, and counted as what it is.
func TestCompare(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		harm func(t *testing.T, w past, anns []string)
		want found
	}{
		"all is well": {func(*testing.T, past, []string) {}, found{}},
		"a row is missing": {func(t *testing.T, w past, anns []string) {
			w.sql(t, "delete from app.tracks where id = $1", anns[1])
		}, found{lost: 1, examples: []string{"event 0-000000001 is missing in [app.tracks]"}}},
		"an effect is missing": {func(_ *testing.T, w past, _ []string) {
			w.ledger.acknowledge([]string{"0-000000009"}, 0)
		}, found{accepted: 1, lost: 1}},
		"a report is missing": {func(t *testing.T, w past, anns []string) {
			w.sql(t, "delete from verobridge.deliveries where message_id = $1 and destination = 'vero'", anns[2])
		}, found{lost: 1, unaccounted: 1, examples: []string{"event 0-000000002 is missing in [the reports (vero)]"}}},
		"a dead letter": {func(t *testing.T, w past, anns []string) {
			w.sql(t, "update verobridge.deliveries set status = 'dead' where message_id = $1 and destination = 'warehouse'", anns[0])
		}, found{lost: 1, examples: []string{"event 0-000000000 is missing in [the reports (warehouse)]"}}},
		"a row too many": {func(t *testing.T, w past, anns []string) { w.load(t, anns[0]) }, found{duplicateRows: 2}},
		"an effect too many": {func(t *testing.T, w past, anns []string) {
			w.track(t, "ann", anns[2])
		}, found{duplicateEffects: 1}},
		"out of order": {func(t *testing.T, w past, _ []string) {
			for _, id := range []string{"0-000000008", "0-000000007"} {
				w.ledger.acknowledge([]string{id}, 0)
				w.load(t, id)
				w.track(t, "ann", id)
				w.report(t, id, "vero", "delivered")
				w.report(t, id, "warehouse", "delivered")
			}
		}, found{accepted: 2, outOfOrder: 1}},
		"not acknowledged, and there all the same": {func(t *testing.T, w past, _ []string) {
			w.load(t, "0-000000009")
			w.track(t, "ann", "0-000000009")
			w.report(t, "0-000000009", "vero", "delivered")
			w.report(t, "0-000000009", "warehouse", "delivered")
		}, found{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, anns := newPast(t)
			tt.harm(t, w, anns)
			got, err := w.compare(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tt.want.accepted += 6
			if tt.want.examples == nil {
				got.examples = nil
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(found{})); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
}

// A bridge that never says that it is done is an error and not a success.
func TestCompareEndsWithoutPromise(t *testing.T) {
	t.Parallel()
	w, _ := newPast(t)
	w.sql(t, "update verobridge.destinations set complete_until = null where name = 'vero'")
	if _, err := w.compare(t.Context()); err == nil {
		t.Error("nobody promised that everything is accounted for, and it counts as well")
	}
}

// Any broken promise makes the result of a scenario, and the whole report, not OK,
// and parts add up.
func TestReport(t *testing.T) {
	t.Parallel()
	waits := func(ms ...time.Duration) []time.Duration {
		for i := range ms {
			ms[i] *= time.Millisecond
		}
		return ms
	}
	well := func() *Siege { return &Siege{Quiet: waits(10, 40), Under: waits(20, 79)} }
	for name, r := range map[string]Result{
		"lost": {Lost: 1}, "row": {DuplicateRows: 1}, "effect": {DuplicateEffects: 1}, "order": {OutOfOrder: 1}, "unaccounted": {Unaccounted: 1}, "leak": {Leaks: 1},
		"slow":   {Siege: &Siege{Quiet: waits(10, 40, 40), Under: waits(10, 81, 81)}},
		"memory": {Siege: &Siege{Quiet: well().Quiet, Under: well().Under, Memory: mostMemory + 1}},
	} {
		if r.OK() || (Report{Results: []Result{{}, r}}).OK() {
			t.Errorf("%s: it counts as kept", name)
		}
		sum := Result{Siege: well()}
		sum.add(r)
		if sum.OK() {
			t.Errorf("%s: with another part it counts as kept", name)
		}
	}
	kept := Report{Seed: 7, Results: []Result{{Scenario: "kill", Accepted: 5}, {Scenario: "siege", Siege: well()}}}
	if !kept.OK() {
		t.Error("it does not count as kept")
	}
	var table bytes.Buffer
	if err := kept.Write(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"kill", "seed 7", "under siege p50 20ms, p99 79ms"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, table.String())
		}
	}
}

// The longest stall is that between two acknowledgements.
func TestLedger(t *testing.T) {
	t.Parallel()
	l := newLedger()
	if l.longestStall() != 0 {
		t.Error("nothing has stalled")
	}
	l.acknowledge([]string{"b", "a"}, time.Second)
	l.last = l.last.Add(-time.Minute)
	l.acknowledge([]string{"a"}, time.Millisecond)
	if got := l.longestStall(); got < time.Minute || got > 2*time.Minute {
		t.Errorf("longest stall is %s, want a minute", got)
	}
	if diff := cmp.Diff([]string{"a", "b"}, l.acknowledged()); diff != "" {
		t.Errorf("acknowledged (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]time.Duration{time.Second, time.Millisecond}, l.takeLatencies()); diff != "" || l.takeLatencies() != nil {
		t.Errorf("latencies (-want +got):\n%s", diff)
	}
}

// A key in a row or in the log is found.
func TestLeaks(t *testing.T) {
	t.Parallel()
	w, _ := newPast(t)
	dir := t.TempDir()
	var err error
	w.process, err = rig.NewBridge(t.Context(), rig.BridgeOptions{Binary: "none", Dir: dir, Warehouse: w.database.Superuser})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.process.Close() })
	w.bridges = []*rig.Bridge{w.process}
	if found, err := w.leaks(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("found %v, %v, want nothing", found, err)
	}
	w.load(t, "/webhooks/vero/"+veroKey)
	if _, err := w.process.Log.WriteString("level=INFO msg=x token=" + veroToken + "\n"); err != nil {
		t.Fatal(err)
	}
	if found, err := w.leaks(t.Context()); err != nil || len(found) != 3 {
		t.Errorf("found %v, %v, want two tables and the log", found, err)
	}
}
