package warehouse

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// clock is a clock that a test moves.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time { return arrival.Add(time.Duration(c.passed.Load())) }

func (c *clock) pass(d time.Duration) { c.passed.Add(int64(d)) }

// holding runs a statement in a transaction of another session, which keeps its
// locks until the returned function is called.
func (f *fixture) holding(sql string) (release func()) {
	f.t.Helper()
	tx, err := connect(f.t, f.url).Begin(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := tx.Exec(f.t.Context(), sql); err != nil {
		f.t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(f.t.Context()); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
			f.t.Fatal(err)
		}
	}
}

func TestLockedTableDelaysOnlyItsOwnEvents(t *testing.T) {
	t.Parallel()
	waiting := outcome{Status: delivery.StatusWaiting, Reason: delivery.ReasonLocked}
	for _, c := range []struct {
		name, sql string
		want      []outcome // of x with a new column, x without, y with a new column, a page
	}{
		{"a reader keeps new columns out", "select from app.x", []outcome{waiting, delivered, delivered, delivered}},
		{"an exclusive lock keeps all out", "lock table app.x in access exclusive mode", []outcome{waiting, waiting, delivered, delivered}},
		{"a lock on users", "lock table app.users in access exclusive mode", []outcome{delivered, delivered, delivered, delivered}},
		{"a lock on discards", "lock table app.discards in access exclusive mode", []outcome{delivered, delivered, delivered, delivered}},
		{"a lock on tracks", "lock table app.tracks in access exclusive mode", []outcome{waiting, waiting, waiting, delivered}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var clock clock
			f := open(t, Options{LockTimeout: 50 * time.Millisecond, LockPause: time.Minute, Now: clock.now})
			f.deliver(track(t, "x", "X", `{"a":1}`), track(t, "y", "Y", `{"a":1}`))
			release := f.holding(c.sql)
			batch := func(n string) []event.Event {
				return []event.Event{
					track(t, "x-new"+n, "X", `{"a":2,"b":true}`),
					track(t, "x-old"+n, "X", `{"a":2}`),
					track(t, "y-new"+n, "Y", `{"a":2,"b":true}`),
					eventOf(t, "app", arrival, `{"type":"page","messageId":"p`+n+`","userId":"u1"}`),
				}
			}
			for _, n := range []string{"1", "2"} { // the second finds it locked without waiting
				got := f.Deliver(t.Context(), batch(n))
				if diff := cmp.Diff(c.want, outcomes(got)); diff != "" {
					t.Fatalf("batch %s: outcomes (-want +got):\n%s", n, diff)
				}
				for _, o := range got {
					if o.Status() == delivery.StatusWaiting && o.After() != time.Minute {
						t.Errorf("to wait %s, want the pause", o.After())
					}
				}
			}
			release()
			clock.pass(time.Minute)
			f.deliver(batch("1")...)
			f.deliver(batch("2")...)
			f.want("select count(*)::int as x, count(b)::int as b from app.x", `{"x":5,"b":2}`)
			f.want("select count(*)::int as n from app.tracks", `{"n":8}`)
		})
	}
}

func TestLockedUserDelaysOnlyTheirOwnEvents(t *testing.T) {
	t.Parallel()
	var clock clock
	f := open(t, Options{LockTimeout: 50 * time.Millisecond, LockPause: time.Minute, Now: clock.now})
	f.deliver(identify(t, "m1", arrival, `{"plan":"free"}`))
	release := f.holding("select from app.users where id = 'u1' for update")
	batch := []event.Event{identify(t, "m2", arrival, `{"plan":"pro"}`), track(t, "m3", "X", "{}")}
	want := []outcome{{Status: delivery.StatusWaiting, Reason: delivery.ReasonLocked}, delivered}
	if diff := cmp.Diff(want, outcomes(f.Deliver(t.Context(), batch))); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	release()
	clock.pass(time.Minute)
	f.deliver(batch...)
	f.want("select plan from app.users", `{"plan":"pro"}`)
	f.want("select count(*)::int as n from app.identifies", `{"n":2}`)
}

// TestPauseOutlivesTheCatalog: events that need no new column get in during the
// pause, also when something else made the loader read the catalog again.
func TestPauseOutlivesTheCatalog(t *testing.T) {
	t.Parallel()
	var clock clock
	f := open(t, Options{LockTimeout: 50 * time.Millisecond, LockPause: time.Minute, Now: clock.now})
	// Table a comes before all others of the schema.
	f.deliver(track(t, "m1", "A", `{"a":1}`))
	release := f.holding("select from app.a")
	defer release()
	waiting := outcome{Status: delivery.StatusWaiting, Reason: delivery.ReasonLocked}
	f.wantOutcomes(waiting, track(t, "m2", "A", `{"b":1}`))
	f.exec("drop table app.pages")
	f.deliver(eventOf(t, "app", arrival, `{"type":"page","messageId":"p1","userId":"u1"}`), track(t, "m3", "A", `{"a":2}`))
	f.want("select id, a from app.a order by id", `{"id":"m1","a":1}`, `{"id":"m3","a":2}`)
}
