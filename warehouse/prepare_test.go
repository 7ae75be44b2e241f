package warehouse

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/pgtest"
)

func TestPrepareMakesTheKnownTables(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	for range 2 {
		if err := f.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for schema, known := range map[string]map[string]columns{"app": sourceTables, "vero": veroTables} {
		tables, err := readSchema(t.Context(), f.conn, schema)
		if err != nil {
			t.Fatal(err)
		}
		names := slices.Sorted(maps.Keys(tables))
		if diff := cmp.Diff(slices.Sorted(maps.Keys(known)), names); diff != "" {
			t.Errorf("tables of %s (-want +got):\n%s", schema, diff)
		}
		for name, r := range tables {
			if diff := cmp.Diff(known[name], r.columns); diff != "" {
				t.Errorf("columns of %s.%s (-want +got):\n%s", schema, name, diff)
			}
			if name != discardsTable && !r.keyed {
				t.Errorf("%s.%s has no key", schema, name)
			}
		}
	}
	f.want(`select conname from pg_constraint where conrelid = 'vero.email_sent'::regclass and contype = 'p'`, `{"conname":"email_sent_pkey"}`)
}

func TestPrepareBySeveralAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	var wg sync.WaitGroup
	for range 3 {
		f := open(t, Options{URL: url})
		wg.Go(func() {
			if err := f.Prepare(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestOpenChecksItsOptions(t *testing.T) {
	t.Parallel()
	if _, err := Open(t.Context(), Options{URL: "postgres://%"}); err == nil {
		t.Error("opened a URL that is none")
	}
	_, err := Open(t.Context(), Options{URL: "postgres://127.0.0.1/x", Sources: []Source{{Name: "web"}, {Name: "Web"}}})
	if err == nil || !strings.Contains(err.Error(), "share the schema web") {
		t.Errorf("two sources in one schema: %v, want an error that says so", err)
	}
}

func TestReadersReadTablesOfLater(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	reader := "reader_of_" + databaseOf(t, url) // roles belong to the server, not to a database
	var log strings.Builder
	f := open(t, Options{
		URL: url, Readers: []string{reader, "no such role"},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	f.exec("create schema vero; create schema email_analytics") // from before: grants come with Prepare
	createRole(t, f, reader)
	t.Cleanup(func() {
		if _, err := f.conn.Exec(context.WithoutCancel(t.Context()), "reset role"); err != nil {
			t.Error(err)
		}
	})
	f.deliver(track(t, "m1", "X", "{}"))
	f.deliver(eventOf(t, "later", arrival, `{"type":"track","messageId":"m1","userId":"u1","event":"X"}`))
	f.exec("set role " + reader)
	for _, table := range []string{"app.tracks", "app.x", "app.discards", "vero.email_sent", "later.x", "email_analytics.funnel", "email_analytics.attribution"} {
		f.exec("select from " + table)
	}
	if _, err := f.conn.Exec(t.Context(), "delete from app.x"); err == nil {
		t.Error("a reader may delete")
	}
	if !strings.Contains(log.String(), "no such role") {
		t.Errorf("the log does not name the reader that does not exist: %s", log.String())
	}
}

// TestPrepareWithAViewForATable: what stands in the way of one table stops
// nothing else.
func TestPrepareWithAViewForATable(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	f := open(t, Options{URL: db})
	f.deliver(track(t, "m1", "X", "{}"))
	f.exec("alter table app.screens rename to screens_raw")
	f.exec("create view app.screens as select * from app.screens_raw")

	var log strings.Builder
	f = open(t, Options{URL: db, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	waiting := outcome{Status: delivery.StatusWaiting, Reason: delivery.ReasonServerError}
	got := f.Deliver(t.Context(), []event.Event{
		track(t, "m2", "X", "{}"),
		eventOf(t, "app", arrival, `{"type":"screen","messageId":"s1","userId":"u1","name":"Home"}`),
	})
	if diff := cmp.Diff([]outcome{delivered, waiting}, outcomes(got)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if err := f.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	if !strings.Contains(log.String(), "table app.screens") {
		t.Errorf("the log does not name the table: %s", log.String())
	}
	f.exec("drop view app.screens")
	f.exec("alter table app.screens_raw rename to screens")
	f.deliver(eventOf(t, "app", arrival, `{"type":"screen","messageId":"s1","userId":"u1","name":"Home"}`))
}

// TestPrepareWithoutTheRightToGrant: somebody else's table in a schema is no
// reason to load nothing.
func TestPrepareWithoutTheRightToGrant(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	admin := &fixture{t: t, conn: connect(t, db)}
	database := databaseOf(t, db)
	reader, loader := createRole(t, admin, "reader_"+database), createRole(t, admin, "loader_"+database)
	admin.exec("grant create on database " + database + " to " + loader)
	u, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(loader, "x")
	f := open(t, Options{URL: u.String()})
	f.deliver(track(t, "m1", "X", "{}"))
	admin.exec("create table app.theirs ()")

	var log strings.Builder
	f = open(t, Options{URL: u.String(), Readers: []string{reader}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	f.deliver(track(t, "m2", "X", "{}"))
	if !strings.Contains(log.String(), "permission denied for table theirs") {
		t.Errorf("the log does not say what is missing: %s", log.String())
	}
}

// databaseOf returns the name of the database at a URL.
func databaseOf(t *testing.T, url string) string {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return config.Database
}

func sqlFile(t *testing.T, name string) string {
	t.Helper()
	sql, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(strings.TrimSpace(string(sql)), ";")
}

// TestEmailFunnel runs what analysts run, before the first event and after.
func TestEmailFunnel(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	if err := f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	funnel := sqlFile(t, "funnel.sql")
	f.want(funnel)

	n := 0
	email := func(name, who string) event.Event {
		n++
		return eventOf(t, "vero", arrival, fmt.Sprintf(`{"type":"track","messageId":"e%d",%s,"event":%q,
			"timestamp":"2026-06-06T10:0%d:00Z","context":{"traits":{"email":"ann@example.com"}},
			"properties":{"campaign_id":7,"campaign_name":"Welcome"}}`, n, who, name, n%10))
	}
	const ann, bob = `"userId":"ann"`, `"anonymousId":"Bob@example.com"`
	f.deliver(
		email("Email Sent", ann), email("Email Sent", bob),
		email("Email Delivered", ann), email("Email Delivered", bob),
		email("Email Opened", ann), email("Email Opened", ann),
		email("Email Link Clicked", ann),
		email("Email Bounced", bob), email("Email Unsubscribed", ann), email("Email Marked as Spam", ann),
	)
	f.want(funnel, `{"campaign_id":7,"sent":2,"delivered":2,"opened":1,"clicked":1,"open_rate":0.5000}`)

	f.deliver(eventOf(t, "app", arrival, `{"type":"track","messageId":"o1","userId":"ann","event":"Order Completed",
		"timestamp":"2026-06-06T10:10:00Z","properties":{"order_id":"o-1","total":12.50}}`))
	f.want(sqlFile(t, "attribution.sql"),
		`{"order_id":"o-1","total":12.50,"kind":"click","campaign_name":"Welcome","touched_at":"2026-06-06T10:07:00+00:00"}`)
}
