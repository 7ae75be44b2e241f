package torture

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/rig"
)

// breakPostgres makes the warehouse fail for a moment, in one of the ways in
// which databases do. Events go on being accepted.
func breakPostgres(ctx context.Context, w *world) error {
	faults := []func(context.Context, *world) error{crashPostgres, failOver, cutConnections, lockTable, slowDown, takeConnections, takeRights}
	return faults[w.random.IntN(len(faults))](ctx, w)
}

// crashPostgres ends the server at once and starts it again.
func crashPostgres(ctx context.Context, w *world) error {
	w.postgres.Crash()
	pause(ctx, w.moment(time.Second))
	return w.postgres.Start(ctx)
}

// failOver leaves a server that only reads, as a standby is, for a moment.
func failOver(ctx context.Context, w *world) error {
	server := w.postgres.URL()
	if err := rig.Exec(ctx, server, "alter system set default_transaction_read_only = on", "select pg_reload_conf()", cutAll); err != nil {
		return err
	}
	pause(ctx, w.moment(time.Second))
	return rig.Exec(ctx, server, "set default_transaction_read_only = off", "alter system reset default_transaction_read_only", "select pg_reload_conf()", cutAll)
}

// cutAll ends every connection but our own.
const cutAll = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'"

// cutConnections ends all connections, ten times a second.
func cutConnections(ctx context.Context, w *world) error {
	for range 10 {
		if err := rig.Exec(ctx, w.postgres.URL(), cutAll); err != nil {
			return err
		}
		pause(ctx, 100*time.Millisecond)
	}
	return nil
}

// lockTable holds a lock that nobody gets by, for longer than the bridge waits
// for one.
func lockTable(ctx context.Context, w *world) error {
	if err := w.awaitTables(ctx); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, w.database.Superuser)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // and with it the lock
	tables := []string{"app.tracks", "app." + eventTable, "verobridge.deliveries"}
	table := tables[w.random.IntN(len(tables))]
	if _, err := conn.Exec(ctx, "begin; lock table "+table+" in access exclusive mode"); err != nil {
		return err
	}
	pause(ctx, time.Second+w.moment(time.Second))
	return nil
}

// slowDown makes each load wait, for a moment: the table's trigger sleeps.
func slowDown(ctx context.Context, w *world) error {
	return w.meanwhile(ctx,
		[]string{
			"create or replace function public.sleep() returns trigger language plpgsql as $$ begin perform pg_sleep(0.2); return null; end $$",
			"create trigger slow after insert on app.tracks for each statement execute function public.sleep()",
		},
		[]string{"drop trigger slow on app.tracks"})
}

// takeConnections leaves the bridge no connection, for a moment.
func takeConnections(ctx context.Context, w *world) error {
	return w.meanwhile(ctx,
		[]string{"alter role " + rig.Role + " connection limit 0", cutAll},
		[]string{"alter role " + rig.Role + " connection limit -1"})
}

// takeRights leaves the bridge a role that may not write, for a moment.
func takeRights(ctx context.Context, w *world) error {
	return w.meanwhile(ctx,
		[]string{"revoke insert on app.tracks, verobridge.deliveries from " + rig.Role, "revoke create on schema app from " + rig.Role},
		[]string{"grant insert on app.tracks, verobridge.deliveries to " + rig.Role, "grant create on schema app to " + rig.Role})
}

// meanwhile does something to the database for a moment.
func (w *world) meanwhile(ctx context.Context, before, after []string) error {
	if err := w.awaitTables(ctx); err != nil {
		return err
	}
	if err := rig.Exec(ctx, w.database.Superuser, before...); err != nil {
		return err
	}
	pause(ctx, w.moment(time.Second))
	return rig.Exec(ctx, w.database.Superuser, after...)
}

// awaitTables waits until the first events have made their tables.
func (w *world) awaitTables(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, w.database.Superuser)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for since := time.Now(); ; pause(ctx, 10*time.Millisecond) {
		var there bool
		err := conn.QueryRow(ctx, "select to_regclass('app."+eventTable+"') is not null").Scan(&there)
		if err != nil || there {
			return err
		}
		if time.Since(since) > patience {
			return errors.New("the bridge has loaded nothing for " + patience.String())
		}
	}
}
