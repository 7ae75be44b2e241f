package torture

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// breakPostgres makes the warehouse fail for a moment, in one of the ways in
// which databases do. Events go on being accepted.
func breakPostgres(ctx context.Context, w *world) error {
	faults := []func(context.Context, *world) error{crashPostgres, failOver, cutConnections, lockTable}
	return faults[w.random.IntN(len(faults))](ctx, w)
}

// crashPostgres ends the server at once and starts it again.
func crashPostgres(ctx context.Context, w *world) error {
	w.postgres.crash()
	pause(ctx, w.moment(time.Second))
	return w.postgres.start(ctx)
}

// failOver leaves a server that only reads, as a standby is, for a moment.
func failOver(ctx context.Context, w *world) error {
	server := w.postgres.server.URL()
	if err := run(ctx, server, "alter system set default_transaction_read_only = on", "select pg_reload_conf()", cutAll); err != nil {
		return err
	}
	pause(ctx, w.moment(time.Second))
	return run(ctx, server, "set default_transaction_read_only = off", "alter system reset default_transaction_read_only", "select pg_reload_conf()", cutAll)
}

// cutAll ends every connection but our own.
const cutAll = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'"

// cutConnections ends all connections, ten times a second.
func cutConnections(ctx context.Context, w *world) error {
	for range 10 {
		if err := run(ctx, w.postgres.server.URL(), cutAll); err != nil {
			return err
		}
		pause(ctx, 100*time.Millisecond)
	}
	return nil
}

// lockTable holds a lock that nobody gets by, for longer than the bridge waits
// for one.
func lockTable(ctx context.Context, w *world) error {
	conn, err := pgx.Connect(ctx, w.database)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // and with it the lock
	tables := []string{"app.tracks", "app." + eventTable, "verobridge.deliveries"}
	if _, err := conn.Exec(ctx, "begin"); err != nil {
		return err
	}
	table := tables[w.random.IntN(len(tables))]
	// The first load makes the table; before it there is nothing to lock.
	if _, err := conn.Exec(ctx, fmt.Sprintf("do $$ begin if to_regclass('%[1]s') is not null then lock table %[1]s in access exclusive mode; end if; end $$", table)); err != nil {
		return err
	}
	pause(ctx, time.Second+w.moment(time.Second))
	return nil
}
