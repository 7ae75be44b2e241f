package story

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/pgtest"
	"github.com/verobridge/verobridge/warehouse"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// fixture is a store on a database of its own, which a real loader has prepared.
type fixture struct {
	*Store
	t      testing.TB
	loader *warehouse.Loader
	conn   *pgx.Conn
}

// open makes a store with the two sources that a bridge usually has.
func open(t testing.TB) *fixture {
	t.Helper()
	url := pgtest.Database(t)
	loader, err := warehouse.Open(t.Context(), warehouse.Options{URL: url, Sources: []warehouse.Source{{Name: "app"}, {Name: "vero", Vero: true}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(loader.Close)
	if err := loader.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	store, err := Open(Options{URL: url, Sources: []Source{{Name: "app", Destinations: []string{"vero"}}, {Name: "vero", Vero: true}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return &fixture{store, t, loader, conn}
}

func (f *fixture) exec(sql string, args ...any) {
	f.t.Helper()
	if _, err := f.conn.Exec(f.t.Context(), sql, args...); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
}

// load loads calls of a source that arrive at a time.
func (f *fixture) load(source string, at time.Time, calls ...string) {
	f.t.Helper()
	events := make([]event.Event, len(calls))
	for i, call := range calls {
		var err error
		if events[i], err = event.New([]byte(call), event.Stamp{Source: source, ReceivedAt: at}); err != nil {
			f.t.Fatal(err)
		}
	}
	for i, o := range f.loader.Deliver(f.t.Context(), events) {
		if o.Err() != nil {
			f.t.Fatalf("%s: %v", calls[i], o.Err())
		}
	}
}
