package people

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/event"
)

// erasure is one that is under way. Each step is done whatever became of the
// others, but for the last: the tables that say by what the person is known are
// needed as long as something remains.
type erasure struct {
	people    *People
	o         EraserOptions
	who       *person
	relations []relation
	receipt   Receipt
}

func (e *erasure) run(ctx context.Context) {
	e.receipt.Remaining = nil
	e.step("dead letters", func() (int, error) {
		return e.o.Kept(ctx, e.people.suppressions.Suppressed)
	})
	for _, r := range e.relations {
		if !r.namesPeople() {
			e.table(ctx, r)
		}
	}
	e.step(rejectedTable, func() (int, error) { return e.rejected(ctx) })
	for _, t := range ownTables {
		if t.name != identitiesTable {
			e.own(ctx, t.name, t.about)
		}
	}
	e.remote(ctx)
	if len(e.receipt.Remaining) > 0 {
		e.receipt.Remaining = append(e.receipt.Remaining, "the tables that say who the person is: they go last")
		return
	}
	e.last(ctx)
}

// awaitOthers waits until other programs deliver nothing about the person any more.
func (e *erasure) awaitOthers(ctx context.Context) error {
	if e.o.Others == 0 {
		return nil
	}
	if e.o.Progress != nil {
		e.o.Progress("waiting for the other bridges", 0)
	}
	timer := time.NewTimer(e.o.Others)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return wrap("wait for the other bridges", ctx.Err())
	}
}

// step counts what was deleted, or notes what remains.
func (e *erasure) step(what string, do func() (int, error)) {
	deleted, err := do()
	if deleted > 0 {
		e.receipt.Counts[what] += deleted
	}
	if err != nil {
		e.receipt.Remaining = append(e.receipt.Remaining, what+": "+err.Error())
	}
	if e.o.Progress != nil {
		e.o.Progress(what, deleted)
	}
}

// execer is a pool or a transaction.
type execer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (e *erasure) table(ctx context.Context, r relation) {
	if r.about() == "" {
		return
	}
	e.step(r.String(), func() (int, error) { return e.delete(ctx, e.people.db.pool, r) })
}

// delete deletes the rows about the person from a table of a source.
func (e *erasure) delete(ctx context.Context, db execer, r relation) (int, error) {
	var kept *relation
	for _, other := range e.relations {
		if other.Schema == r.Schema && slices.Contains(discards, other.Name) {
			kept = &other
		}
	}
	var rows, lost, fates int
	err := db.QueryRow(ctx, r.deleteSQL(kept),
		orEmpty(e.who.Users), orEmpty(e.who.Anonymous), orEmpty(e.who.Emails), r.Name).Scan(&rows, &lost, &fates)
	if err != nil {
		return 0, err
	}
	if lost > 0 {
		e.receipt.Counts[kept.String()] += lost
	}
	if fates > 0 {
		e.receipt.Counts["verobridge.deliveries"] += fates
	}
	return rows, nil
}

// own deletes the rows about the person from a table of verobridge.
func (e *erasure) own(ctx context.Context, name, about string) {
	e.step(name, func() (int, error) { return e.deleteOwn(ctx, e.people.db.pool, name, about) })
}

func (e *erasure) deleteOwn(ctx context.Context, db execer, name, about string) (deleted int, err error) {
	err = db.QueryRow(ctx, fmt.Sprintf("with %s, gone as (delete from %s where %s returning 1) select count(*) from gone", given, name, about),
		orEmpty(e.who.Users), orEmpty(e.who.Anonymous), orEmpty(e.who.Emails)).Scan(&deleted)
	return deleted, err
}

// remote deletes the person at the destinations that can. Whoever has no userId
// is known there by the address, or by the anonymousId where the mapping takes it
// for an id; elsewhere nobody has that id, which is no error.
func (e *erasure) remote(ctx context.Context) {
	for name, forget := range e.o.Remote {
		e.step("people at "+name, func() (deleted int, err error) {
			for _, id := range slices.Concat(e.who.Users, e.who.Emails, e.who.Anonymous) {
				if err := forget(ctx, id); err != nil {
					return deleted, err
				}
				deleted++
			}
			return deleted, nil
		})
	}
}

// last deletes what says by what the person is known, all of it or nothing.
func (e *erasure) last(ctx context.Context) {
	e.step("the tables that say who the person is", func() (int, error) {
		return 0, pgx.BeginFunc(ctx, e.people.db.pool, func(tx pgx.Tx) error {
			counts := make(map[string]int)
			for _, r := range e.relations {
				if !r.namesPeople() || r.about() == "" {
					continue
				}
				n, err := e.delete(ctx, tx, r)
				if err != nil {
					return fmt.Errorf("%s: %w", r, err)
				}
				counts[r.String()] = n
			}
			for _, t := range ownTables {
				if t.name != identitiesTable {
					continue
				}
				n, err := e.deleteOwn(ctx, tx, t.name, t.about)
				if err != nil {
					return fmt.Errorf("%s: %w", t.name, err)
				}
				counts[t.name] = n
			}
			for name, n := range counts {
				if n > 0 {
					e.receipt.Counts[name] += n
				}
			}
			return nil
		})
	})
}

// rejected deletes the calls about the person that were refused at the door.
func (e *erasure) rejected(ctx context.Context) (int, error) {
	ids, err := e.people.rejected(ctx, e.who)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	_, err = e.people.db.pool.Exec(ctx, "delete from verobridge.rejected_events where id = any($1::text[])", ids)
	return len(ids), err
}

// rejected finds the calls about a person that were refused at the door. What
// is no valid call counts if it holds one of the identifiers as a JSON string.
func (p *People) rejected(ctx context.Context, who *person) (ids []string, err error) {
	wanted := make(map[Identifier]bool)
	var values []string
	for _, id := range who.identifiers() {
		wanted[id] = true
		values = append(values, strings.ToLower(id.Value))
	}
	// Only rows that mention one are read.
	rows, err := p.db.pool.Query(ctx, `
		select id, body from verobridge.rejected_events r
		where exists (select from unnest($1::text[]) v where strpos(lower(r.body), v) > 0)`, values)
	if err != nil {
		return nil, wrap("read rejected events", err)
	}
	names := func(id Identifier) bool { return wanted[id.folded()] }
	var id, body string
	_, err = pgx.ForEachRow(rows, []any{&id, &body}, func() error {
		call := event.Event{Body: json.RawMessage(body)}
		about := slices.ContainsFunc(Identifiers(call), names)
		if !json.Valid(call.Body) {
			text := strings.ToLower(body)
			about = slices.ContainsFunc(values, func(value string) bool { return strings.Contains(text, `"`+value+`"`) })
		}
		if about {
			ids = append(ids, id)
		}
		return nil
	})
	return ids, wrap("read rejected events", err)
}
