package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/mockvero"
	"github.com/verobridge/verobridge/internal/rig"
)

// What the bridge is set to. Everything listens on loopback.
const (
	appKey        = "bench-app-key"
	veroToken     = "bench-vero-token"
	veroName      = "vero"
	warehouseName = "warehouse"
)

// patience is how long a bridge may take without getting on.
const patience = time.Minute

// world is a bridge with all that is around it.
type world struct {
	*run
	bridge   *rig.Bridge
	database rig.Database
	vero     *mockvero.Server
	arrivals *arrivals
	door     *rig.Door // Vero's
	memory   float64   // the most that the bridge had
	closers  []func() error
}

// newWorld starts a bridge with a database and a spool of its own, with Vero as
// destination or without.
func (r *run) newWorld(ctx context.Context, name string, withVero bool) (_ *world, err error) {
	w := &world{run: r}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	dir := filepath.Join(r.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	w.onClose(func() error { return os.RemoveAll(dir) })
	if w.database, err = r.postgres.Database(ctx); err != nil {
		return nil, err
	}
	w.onClose(func() error { return w.database.Drop(context.WithoutCancel(ctx)) })
	if err := w.login(ctx, true); err != nil {
		return nil, err
	}
	// A short window and a short memory: the mock is to be no weight of its own.
	w.vero = mockvero.New(mockvero.Options{AuthToken: veroToken, Keep: 1, Window: 10 * time.Second})
	w.arrivals = &arrivals{next: w.vero, at: make(map[string]time.Time)}
	if w.door, err = rig.OpenDoor(ctx, w.arrivals); err != nil {
		return nil, err
	}
	w.onClose(w.door.Close)
	destinations := ""
	if withVero {
		destinations = veroName
	}
	w.bridge, err = rig.NewBridge(ctx, rig.BridgeOptions{
		Binary: r.options.Binary, Dir: dir, Warehouse: w.database.Bridge,
		Settings: fmt.Sprintf(`
sources:
  - {name: app, write_keys: [%q], destinations: [%s]}
destinations:
  - {name: vero, type: vero, auth_token: %q, url: %q, allow_private: true}
`, appKey, destinations, veroToken, w.door.URL()+"/api/v2"),
	})
	if err != nil {
		return nil, err
	}
	w.onClose(w.bridge.Close)
	if err := w.bridge.Start(ctx); err != nil {
		return nil, err
	}
	w.onClose(func() error { w.bridge.Kill(); return nil })
	return w, nil
}

func (w *world) onClose(do func() error) { w.closers = append(w.closers, do) }

// close takes everything away.
func (w *world) close() error {
	var problems []error
	for _, do := range slices.Backward(w.closers) {
		problems = append(problems, do())
	}
	return errors.Join(problems...)
}

// load is a load for the bridge.
func (w *world) load(run string, connections, batch int) load {
	return load{URL: w.bridge.URL, Key: appKey, Run: run, Connections: connections, Batch: batch}
}

// usage reads what the bridge says, and remembers the most memory that it had.
func (w *world) usage(ctx context.Context) (usage, error) {
	u, err := readUsage(ctx, w.bridge.Admin)
	w.memory = max(w.memory, u.memory)
	return u, err
}

// shutPostgres starts the bridge anew without a Postgres to log in to, so that
// what comes in is kept and nothing else goes on.
func (w *world) shutPostgres(ctx context.Context) error {
	if err := w.bridge.Stop(); err != nil {
		return err
	}
	if err := w.login(ctx, false); err != nil {
		return err
	}
	return w.bridge.Start(ctx)
}

// openPostgres starts the bridge anew, with a Postgres.
func (w *world) openPostgres(ctx context.Context) error {
	if err := w.bridge.Stop(); err != nil {
		return err
	}
	if err := w.login(ctx, true); err != nil {
		return err
	}
	return w.bridge.Start(ctx)
}

// login says whether bridges may log in to Postgres.
func (w *world) login(ctx context.Context, may bool) error {
	option := " nologin"
	if may {
		option = " login"
	}
	return rig.Exec(ctx, w.postgres.URL(), "alter role "+rig.Role+option)
}

// fill lets a backlog of events come in.
func (w *world) fill(ctx context.Context, l load, events int) error {
	l.Events = events
	s, err := w.generate(ctx, l)
	if err != nil {
		return err
	}
	if s.Failed > 0 {
		return fmt.Errorf("the bridge did not take %d of %d events of a backlog", s.Failed, events)
	}
	return nil
}

// drained measures how fast something comes to want, by its own count: from when
// the first is there until the last is. It looks every few milliseconds.
func (w *world) drained(ctx context.Context, want int, count func(context.Context) (int, error)) (perSecond float64, err error) {
	var (
		first         int
		began, gotOn  = time.Time{}, time.Now()
		last, present int
	)
	for ; present < want; pause(ctx, 10*time.Millisecond) {
		if present, err = count(ctx); err != nil {
			return 0, err
		}
		now := time.Now()
		switch {
		case present > last:
			last, gotOn = present, now
		case now.Sub(gotOn) > patience:
			return 0, fmt.Errorf("the bridge stays at %d of %d for %s; what it says is in %s", present, want, patience, w.bridge.Log.Name())
		}
		if began.IsZero() && present > 0 {
			first, began = present, now
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	if present == first { // all at once
		return 0, errors.New("the backlog was gone before it could be measured; take a longer --duration")
	}
	return float64(present-first) / gotOn.Sub(began).Seconds(), nil
}

// settled returns a count of the events that a destination is done with.
func (w *world) settled(destination string) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		u, err := w.usage(ctx)
		return u.settled[destination], err
	}
}

// awaitTables lets a first event make its tables.
func (w *world) awaitTables(ctx context.Context) error {
	if err := w.fill(ctx, w.load("first-", 1, 1), 1); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, w.database.Superuser)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for since := time.Now(); ; pause(ctx, 10*time.Millisecond) {
		var there bool
		err := conn.QueryRow(ctx, "select to_regclass($1) is not null", "app."+eventTable).Scan(&there)
		if err != nil || there {
			return err
		}
		if time.Since(since) > patience {
			return fmt.Errorf("the bridge has loaded nothing for %s; what it says is in %s", patience, w.bridge.Log.Name())
		}
	}
}
