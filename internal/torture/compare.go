package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// found is what there was, at the end, of what had been acknowledged.
type found struct {
	accepted, lost, duplicateRows, duplicateEffects, outOfOrder, unaccounted int
	// examples are sentences about some of the lost.
	examples []string
}

// compare waits until nothing waits any more and compares the ledger with what
// there is.
func (w *world) compare(ctx context.Context) (found, error) {
	conn, err := pgx.Connect(ctx, w.database.Superuser)
	if err != nil {
		return found{}, fmt.Errorf("compare: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	ids := w.ledger.acknowledged()
	if err := fillLedger(ctx, conn, ids); err != nil {
		return found{}, fmt.Errorf("compare: %w", err)
	}
	if err := w.awaitSettled(ctx, conn); err != nil {
		return found{}, fmt.Errorf("compare: %w", err)
	}
	missing, err := missingIn(ctx, conn)
	if err != nil {
		return found{}, fmt.Errorf("compare: %w", err)
	}
	f := found{accepted: len(ids)}
	effects, outOfOrder := effectsOf(w.vero)
	f.outOfOrder = outOfOrder
	for _, n := range effects {
		f.duplicateEffects += n - 1
	}
	for _, id := range ids {
		where := missing[id]
		if effects[id] == 0 {
			where = append(where, "Vero")
		}
		if len(where) == 0 {
			continue
		}
		if f.lost++; len(f.examples) < 5 {
			f.examples = append(f.examples, fmt.Sprintf("event %s is missing in %v", id, where))
		}
	}
	for _, table := range []string{"tracks", eventTable} {
		var n int
		err := conn.QueryRow(ctx, "select count(*) - count(distinct id) from app."+table).Scan(&n)
		if err != nil {
			return found{}, fmt.Errorf("compare: %w", err)
		}
		f.duplicateRows += n
	}
	if f.unaccounted, err = w.unaccounted(ctx, conn); err != nil {
		return found{}, fmt.Errorf("compare: %w", err)
	}
	return f, nil
}

// unaccounted waits until the bridge promises that every event has a report, and
// counts those that have none all the same.
func (w *world) unaccounted(ctx context.Context, conn *pgx.Conn) (n int, err error) {
	const promised = `
		select coalesce(min(coalesce(d.complete_until, '-infinity')) > (select max(received_at) from verobridge.deliveries), false)
		from verobridge.destinations d where d.state <> 'gone'`
	for since := time.Now(); time.Since(since) < w.settlePatience; pause(ctx, 100*time.Millisecond) {
		var all bool
		if err := conn.QueryRow(ctx, promised).Scan(&all); err != nil {
			return 0, err
		}
		if all {
			err := conn.QueryRow(ctx, "select count(*) from verobridge.unaccounted").Scan(&n)
			return n, err
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return 0, fmt.Errorf("within %s the bridge does not say that every event has a report", w.settlePatience)
}

func fillLedger(ctx context.Context, conn *pgx.Conn, ids []string) error {
	if _, err := conn.Exec(ctx, "create temp table ledger (id text primary key)"); err != nil {
		return err
	}
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"ledger"}, []string{"id"},
		pgx.CopyFromSlice(len(ids), func(i int) ([]any, error) { return []any{ids[i]}, nil }))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "analyze ledger")
	return err
}

// awaitSettled waits until each event has a last report from both destinations,
// or nothing has changed for a while: then something is lost.
func (w *world) awaitSettled(ctx context.Context, conn *pgx.Conn) error {
	const waiting = `
		select 2 * (select count(*) from ledger) - count(*)
		from ledger l
		join verobridge.deliveries d on d.source = 'app' and d.message_id = l.id and d.status <> 'waiting'`
	least, since := -1, time.Now()
	for {
		var n int
		switch err := conn.QueryRow(ctx, waiting).Scan(&n); {
		case isUndefinedTable(err):
			n = math.MaxInt // the bridge has not come to make it yet
		case err != nil:
			return err
		}
		if least < 0 || n < least {
			least, since = n, time.Now()
		}
		if n == 0 || time.Since(since) > w.settlePatience {
			return nil
		}
		pause(ctx, 100*time.Millisecond)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func isUndefinedTable(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == "42P01"
}

// missingIn returns where each event is missing that is.
func missingIn(ctx context.Context, conn *pgx.Conn) (map[string][]string, error) {
	missing := make(map[string][]string)
	for place, there := range map[string]string{
		"app.tracks":         "select from app.tracks t where t.id = l.id",
		"app." + eventTable:  "select from app." + eventTable + " t where t.id = l.id",
		"the reports (vero)": "select from verobridge.deliveries d where d.source = 'app' and d.message_id = l.id and d.destination = 'vero' and d.status = 'delivered'",
		"the reports (warehouse)": "select from verobridge.deliveries d where d.source = 'app' and d.message_id = l.id and d.destination = 'warehouse' " +
			"and d.status = 'delivered'",
	} {
		rows, err := conn.Query(ctx, "select l.id from ledger l where not exists ("+there+")")
		if err != nil {
			return nil, err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			missing[id] = append(missing[id], place)
		}
	}
	return missing, nil
}

// effectsOf counts the effects of each event at Vero, and those that came after
// a later one of their person.
func effectsOf(vero *mockvero.Server) (effects map[string]int, outOfOrder int) {
	effects = make(map[string]int)
	for _, person := range vero.Effects().Users {
		latest := -1
		for _, e := range person.Events {
			var data struct {
				ID string `json:"segment_message_id"`
			}
			if err := json.Unmarshal(e.Data, &data); err != nil {
				panic(fmt.Sprintf("the mock of Vero keeps data that is no JSON: %v", err))
			}
			effects[data.ID]++
			number := numberOf(data.ID)
			if number < latest {
				outOfOrder++
			}
			latest = max(latest, number)
		}
	}
	return effects, outOfOrder
}
