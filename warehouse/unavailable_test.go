package warehouse

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/localpg"
	"github.com/verobridge/verobridge/internal/pgtest"
)

func unavailable(reason delivery.Reason) outcome {
	return outcome{Status: delivery.StatusWaiting, Reason: reason, Unavailable: true}
}

func (f *fixture) wantOutcomes(want outcome, events ...event.Event) {
	f.t.Helper()
	wants := make([]outcome, len(events))
	for i := range wants {
		wants[i] = want
	}
	got := f.Deliver(f.t.Context(), events)
	if diff := cmp.Diff(wants, outcomes(got)); diff != "" {
		f.t.Fatalf("outcomes (-want +got):\n%s\n%s", diff, got[0].Detail())
	}
}

// TestPostgresStops runs a server of its own and stops it.
func TestPostgresStops(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// The server's account must be able to enter, when the tests run as root.
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	start := func() *localpg.Server {
		t.Helper()
		s, err := localpg.Start(t.Context(), localpg.Options{Dir: dir, Settings: map[string]string{"fsync": "off"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(t.Context())) })
		return s
	}
	stop := func(s *localpg.Server) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Fatal(err)
		}
	}
	s := start()
	stop(s)

	// Down from the start.
	l, err := Open(t.Context(), Options{URL: s.URL(), Sources: []Source{{Name: "app"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	f := &fixture{Loader: l, t: t}
	batch := []event.Event{track(t, "m1", "X", "{}"), identify(t, "m2", arrival, "{}")}
	f.wantOutcomes(unavailable(delivery.ReasonUnreachable), batch...)
	if err := l.WriteReports(t.Context(), []delivery.Report{{}}); err == nil {
		t.Error("reports were written without a database")
	}
	if err := l.Ready(t.Context()); err == nil {
		t.Error("ready without a database")
	}

	s = start()
	f.deliver(batch...)
	if err := l.Ready(t.Context()); err != nil {
		t.Errorf("not ready with a database: %v", err)
	}

	// Down later.
	stop(s)
	batch = append(batch, track(t, "m3", "X", `{"new":1}`))
	f.wantOutcomes(unavailable(delivery.ReasonUnreachable), batch...)
	if err := l.Ready(t.Context()); err == nil {
		t.Error("ready without a database")
	}
	s = start()
	f.deliver(batch...)
	f.conn = connect(t, s.URL())
	f.want("select count(*)::int as n from app.x", `{"n":2}`)
}

func TestStopsWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	f := open(t, Options{LockTimeout: time.Hour, LoadTimeout: time.Hour})
	f.deliver(track(t, "m1", "X", "{}"))
	release := f.holding("lock table app.x in access exclusive mode")
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan []delivery.Outcome)
	go func() { done <- f.Deliver(ctx, []event.Event{track(t, "m2", "X", "{}")}) }()
	waits := func() bool {
		return len(f.rows("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")) > 0
	}
	for deadline := time.Now().Add(30 * time.Second); !waits(); {
		if time.Now().After(deadline) {
			t.Fatal("the load does not wait for the lock")
		}
	}
	cancel()
	if diff := cmp.Diff([]outcome{unavailable(delivery.ReasonStopping)}, outcomes(<-done)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// createRole makes a role that may do nothing, for the length of the test. Its
// password is x.
func createRole(t *testing.T, admin *fixture, role string) string {
	t.Helper()
	admin.exec("create role " + role + " login password 'x'")
	t.Cleanup(func() {
		for _, sql := range []string{"drop owned by " + role + " cascade", "drop role " + role} {
			if _, err := admin.conn.Exec(context.WithoutCancel(t.Context()), sql); err != nil {
				t.Error(err)
			}
		}
	})
	return role
}

// TestDatabaseRefuses takes away, one by one, what the loader's own role needs.
func TestDatabaseRefuses(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	u, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	admin := &fixture{t: t, conn: connect(t, db)}
	database := databaseOf(t, db)
	role := createRole(t, admin, "loader_"+database)
	u.User = url.UserPassword(role, "x")
	f := open(t, Options{URL: u.String()})
	e := track(t, "m1", "X", `{"n":1}`)

	f.wantOutcomes(unavailable(delivery.ReasonNotPermitted), e) // may not create schemas
	admin.exec("grant create on database " + database + " to " + role)
	f.deliver(e)

	admin.exec("alter table app.x owner to current_user")
	f.wantOutcomes(unavailable(delivery.ReasonNotPermitted), track(t, "m2", "X", `{"n":1}`))
	admin.exec("alter table app.x owner to " + role)

	admin.exec("alter role " + role + " set default_transaction_read_only = on")
	f.pool.Reset() // settings of a role count from the next connection on
	f.wantOutcomes(unavailable(delivery.ReasonServerError), track(t, "m2", "X", `{"n":1}`))
	admin.exec("alter role " + role + " reset default_transaction_read_only")
	f.pool.Reset()

	admin.exec("alter role " + role + " connection limit 0")
	f.wantOutcomes(unavailable(delivery.ReasonServerError), track(t, "m2", "X", `{"n":1}`))
	admin.exec("alter role " + role + " connection limit -1")
	f.deliver(track(t, "m2", "X", `{"n":1}`))
}

func TestConnectionThatIsCut(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "m1", "X", "{}"))
	release := f.holding("lock table app.x in access exclusive mode")
	done := make(chan []delivery.Outcome)
	go func() { done <- f.Deliver(t.Context(), []event.Event{track(t, "m2", "X", "{}")}) }()
	const cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
	for deadline := time.Now().Add(30 * time.Second); len(f.rows(cut)) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the load does not wait for the lock")
		}
	}
	if diff := cmp.Diff([]outcome{unavailable(delivery.ReasonUnreachable)}, outcomes(<-done)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	release()
	f.deliver(track(t, "m2", "X", "{}"))
	f.want("select count(*)::int as n from app.x", `{"n":2}`)
}
