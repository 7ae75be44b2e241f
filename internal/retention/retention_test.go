package retention_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/verobridge/verobridge/internal/pgtest"
	"github.com/verobridge/verobridge/internal/retention"
	"github.com/verobridge/verobridge/migrations"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// now is when the tests run.
var now = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// database returns one with verobridge's tables.
func database(t testing.TB) (*pgx.Conn, string) {
	t.Helper()
	url := pgtest.Database(t)
	if _, err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn, url
}

func exec(t fataler, conn *pgx.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), statement, args...); err != nil {
		t.Fatalf("%v: %s", err, statement)
	}
}

// fataler is what testing and rapid have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// deliver adds a row on an event at a destination.
func deliver(t fataler, conn *pgx.Conn, id, destination, status string, age time.Duration) {
	t.Helper()
	exec(t, conn, `insert into verobridge.deliveries (source, message_id, destination, type, status, reason, detail, attempts, received_at)
		values ('app', $1, $2, 'track', $3, 'a', 'b', 1, $4)`, id, destination, status, now.Add(-age))
}

func open(t testing.TB, o retention.Options) *retention.Retention {
	t.Helper()
	o.Keep, o.Now = 90*day, func() time.Time { return now }
	r, err := retention.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// left returns which rows of deliveries are there.
func left(t fataler, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(context.Background(), "select message_id || ' ' || destination from verobridge.deliveries order by 1")
	if err != nil {
		t.Fatalf("%v", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%v", err)
	}
	return all
}

func TestExpireDeletesWhatIsOld(t *testing.T) {
	t.Parallel()
	conn, url := database(t)
	deliver(t, conn, "old", "warehouse", "delivered", 91*day)
	deliver(t, conn, "old", "vero", "dead", 91*day)
	deliver(t, conn, "waits", "warehouse", "delivered", 91*day)
	deliver(t, conn, "waits", "vero", "waiting", 91*day)
	deliver(t, conn, "held", "warehouse", "delivered", 300*day)
	deliver(t, conn, "held", "vero", "held", 300*day)
	deliver(t, conn, "again", "warehouse", "delivered", 91*day)
	deliver(t, conn, "again", "vero", "delivered", day) // the same call came a second time
	deliver(t, conn, "new", "warehouse", "delivered", 89*day)
	for age, id := range map[time.Duration]string{91 * day: "old", 89 * day: "new"} {
		exec(t, conn, `insert into verobridge.rejected_events (id, source, received_at, reason, detail, body) values ($1, 'app', $2, 'a', 'b', 'c')`, id, now.Add(-age))
		exec(t, conn, `insert into verobridge.refusals (at, reason, detail, message_ids, calls, requests) values ($1, 'a', 'b', '{}', 1, 1)`, now.Add(-age))
	}
	metrics := prometheus.NewRegistry()
	n, err := open(t, retention.Options{URL: url, Registerer: metrics}).Expire(t.Context())
	if err != nil || n != 4 {
		t.Errorf("deleted %d rows, want 4 (%v)", n, err)
	}
	want := "[again vero again warehouse held vero held warehouse new warehouse waits vero waits warehouse]"
	if got := fmt.Sprint(left(t, conn)); got != want {
		t.Errorf("left are %s, want %s", got, want)
	}
	for _, table := range []string{"rejected_events", "refusals"} {
		var rows int
		if err := conn.QueryRow(t.Context(), "select count(*) from verobridge."+table).Scan(&rows); err != nil || rows != 1 {
			t.Errorf("%d rows are left of %s, want 1 (%v)", rows, table, err)
		}
	}
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var counted float64
	for _, m := range families[0].GetMetric() {
		counted += m.GetCounter().GetValue()
	}
	if counted != 4 {
		t.Errorf("the metric counts %v rows", counted)
	}
}

// What is dead stays while a letter as old is kept, and what a destination owes a row
// stays until it has had its turn there.
func TestExpireKeepsWhatMayYetHappen(t *testing.T) {
	t.Parallel()
	conn, url := database(t)
	exec(t, conn, `insert into verobridge.routes (source, destination, since) values ('app', 'warehouse', $1), ('app', 'vero', $1), ('app', 'removed', $1)`, now.Add(-100*day))
	exec(t, conn, `insert into verobridge.destinations (name, type, state, since, complete_until, backlog_records, retrying_events, updated_at)
		values ('warehouse', 'postgres', 'running', $1, $1, 0, 0, $1), ('vero', 'vero', 'paused', $2, $2, 7, 0, $1), ('removed', 'vero', 'gone', $1, null, 0, 0, $1)`, now, now.Add(-95*day))
	deliver(t, conn, "before-its-routes", "warehouse", "delivered", 101*day)
	deliver(t, conn, "dead-without-a-letter", "vero", "dead", 99*day)
	deliver(t, conn, "dead", "vero", "dead", 98*day)
	deliver(t, conn, "dead", "warehouse", "delivered", 98*day)
	deliver(t, conn, "ambiguous", "vero", "ambiguous", 97*day)
	deliver(t, conn, "had-its-turn", "vero", "skipped", 94*day)
	deliver(t, conn, "behind-the-pause", "warehouse", "delivered", 94*day)
	oldest := now.Add(-98 * day)
	r := open(t, retention.Options{URL: url, Batch: 1, OldestLetter: func(context.Context) (time.Time, error) { return oldest, nil }})
	for _, want := range []string{"[ambiguous vero behind-the-pause warehouse dead vero dead warehouse]", "[behind-the-pause warehouse]"} {
		if _, err := r.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(left(t, conn)); got != want {
			t.Errorf("left are %s, want %s", got, want)
		}
		oldest = time.Time{} // the letters are dropped
	}
}

// Whatever there is, in however small steps: an event has all of its rows or none,
// and keeps them exactly if one of them is young or not final.
func TestEventsGoWhole(t *testing.T) {
	t.Parallel()
	conn, url := database(t)
	rapid.Check(t, func(rt *rapid.T) {
		exec(rt, conn, "truncate verobridge.deliveries")
		stays, rows := make(map[string]bool), make(map[string]int)
		for i := range rapid.IntRange(0, 12).Draw(rt, "events") {
			id := fmt.Sprintf("m%02d", i)
			for _, destination := range []string{"relay", "vero", "warehouse"}[rapid.IntRange(0, 2).Draw(rt, "from"):] {
				status := rapid.SampledFrom([]string{"delivered", "skipped", "dead", "ambiguous", "waiting", "held"}).Draw(rt, "status")
				age := time.Duration(rapid.IntRange(88, 92).Draw(rt, "age")) * day // many at the same time
				deliver(rt, conn, id, destination, status, age)
				rows[id]++
				stays[id] = stays[id] || status == "waiting" || status == "held" || age <= 90*day
			}
		}
		batch := rapid.IntRange(1, 5).Draw(rt, "batch")
		if _, err := open(t, retention.Options{URL: url, Batch: batch}).Expire(t.Context()); err != nil {
			rt.Fatalf("%v", err)
		}
		got := make(map[string]int)
		for _, row := range left(rt, conn) {
			got[row[:3]]++
		}
		for id, n := range rows {
			if !stays[id] {
				n = 0
			}
			if got[id] != n {
				rt.Fatalf("%d rows of %s are left, want %d", got[id], id, n)
			}
		}
	})
}

// Run deletes at once, goes on while Postgres has no tables, and stops.
func TestRun(t *testing.T) {
	t.Parallel()
	conn, url := database(t)
	exec(t, conn, "alter table verobridge.deliveries rename to away")
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	r := open(t, retention.Options{URL: url, Every: time.Millisecond})
	go func() { defer close(stopped); r.Run(ctx) }()
	exec(t, conn, "alter table verobridge.away rename to deliveries")
	deliver(t, conn, "old", "warehouse", "delivered", 91*day)
	for started := time.Now(); len(left(t, conn)) > 0; {
		if time.Since(started) > time.Minute {
			t.Fatal("the row is not deleted within a minute")
		}
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
	cancel()
	<-stopped
}

func TestOpenChecksItsOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []retention.Options{{URL: "postgres://host/db"}, {URL: "nonsense://", Keep: day}} {
		if _, err := retention.Open(o); err == nil {
			t.Errorf("no error of %+v", o)
		}
	}
}
