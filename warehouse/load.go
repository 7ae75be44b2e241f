package warehouse

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// item is an event on its way into the warehouse. All its rows are committed
// together or none is.
type item struct {
	event   event.Event
	record  record
	outcome *delivery.Outcome
}

// uses says whether the item writes into a table.
func (it *item) uses(t table) bool {
	for _, r := range it.record.rows {
		if r.table == t || t == (table{r.table.schema, discardsTable}) {
			return true
		}
	}
	return it.record.state != nil && it.record.state.table == t
}

// misses says whether the item has a value for a column that the table does not
// have and should get.
func (it *item) misses(t table, r *relation, limit int) bool {
	if r.columns[overflowColumn] != "" && r.room(limit) == 0 {
		return false
	}
	missing := func(c cells) bool {
		for _, cell := range c {
			if r.columns[cell.column] == "" {
				return true
			}
		}
		return false
	}
	for _, row := range it.record.rows {
		if row.table == t && missing(row.cells) {
			return true
		}
	}
	return it.record.state != nil && it.record.state.table == t && missing(it.record.state.cells)
}

// lock remembers that a table was locked.
type lock struct {
	until time.Time
	// ddl says that only new columns have to wait.
	ddl bool
}

// try says how often a batch may still meet tables that are not as the catalog
// has them.
type try bool

const (
	firstTry try = true
	lastTry  try = false
)

// load brings the items into Postgres and settles them. A failure is answered by
// whose it is: the database's settles all items, a table's those that use it, and
// one of a row is found by halving. Items that took too long together are left
// without an outcome, for smaller transactions.
func (l *Loader) load(ctx context.Context, items []*item, t try) {
	bounded, cancel := context.WithTimeout(ctx, l.loadTimeout)
	defer cancel()
	items, err := l.fitTables(bounded, items)
	if err == nil {
		err = l.insert(bounded, items)
	}
	if err == nil {
		settle(items, delivery.Delivered())
		l.pace.gain(len(items))
		return
	}
	switch j := judge(err); {
	case isOwnTableGone(err):
		l.prepared.Store(false)
		settle(items, delivery.Unavailable(delivery.ReasonServerError, err, 0))
	case j.verdict == verdictUnavailable:
		settle(items, delivery.Unavailable(j.reason, err, 0))
	case j.verdict == verdictSlow:
		l.slowDown(ctx, items, j, err)
	case j.verdict == verdictLocked:
		l.load(ctx, l.postpone(items, delivery.Retry(j.reason, err, l.lockPause)), t)
	case t == firstTry:
		// A row may be refused for the same reason: the column has another type
		// by now than the one that its value was cast to.
		l.catalog.forget()
		l.load(ctx, items, lastTry)
	case j.verdict == verdictAgain:
		l.catalog.forget()
		l.load(ctx, l.postpone(items, delivery.Retry(j.reason, err, 0)), t)
	case len(items) == 1:
		settle(items, delivery.Dead(j.reason, err))
	default:
		half := len(items) / 2
		l.load(ctx, items[:half], t)
		l.load(ctx, items[half:], t)
	}
}

func settle(items []*item, o delivery.Outcome) {
	for _, it := range items {
		*it.outcome = o
	}
}

// postpone settles with o the items that use the table that failed, all if no
// single table did, and returns the others. A table that is locked is left
// alone for a while.
func (l *Loader) postpone(items []*item, o delivery.Outcome) []*item {
	var failed *tableError
	if !errors.As(o.Err(), &failed) {
		settle(items, o)
		return nil
	}
	if o.Reason() == delivery.ReasonLocked {
		l.locked[failed.table] = lock{until: l.now().Add(l.lockPause)}
	}
	return slices.DeleteFunc(slices.Clone(items), func(it *item) bool {
		uses := it.uses(failed.table)
		if uses {
			*it.outcome = o
		}
		return uses
	})
}

// fitTables makes the tables fit the items. It settles those that have to wait
// for a lock, and returns the others.
func (l *Loader) fitTables(ctx context.Context, items []*item) ([]*item, error) {
	needs := l.needsOf(items)
	for _, t := range slices.SortedFunc(maps.Keys(needs), compareTables) {
		if _, err := l.catalog.read(ctx, l.pool, t.schema); err != nil {
			return items, err
		}
		pause, locked := l.locked[t]
		if locked && !l.now().Before(pause.until) {
			delete(l.locked, t)
			locked = false
		}
		cause := errLocked
		if !locked {
			err := l.evolve(ctx, t, needs[t])
			if err == nil {
				continue
			}
			if judge(err).verdict != verdictLocked || l.catalog.relation(t) == nil {
				return items, err
			}
			cause, pause = err, lock{until: l.now().Add(l.lockPause), ddl: true}
			l.locked[t] = pause
		}
		rel := l.catalog.relation(t)
		items = slices.DeleteFunc(slices.Clone(items), func(it *item) bool {
			if it.uses(t) && (!pause.ddl || rel == nil || it.misses(t, rel, l.maxColumns)) {
				*it.outcome = delivery.Retry(delivery.ReasonLocked, cause, pause.until.Sub(l.now()))
				return true
			}
			return false
		})
	}
	return items, nil
}

// errLocked is the error of an event whose table was found locked a moment ago
// and is left alone for a while.
var errLocked = errors.New("the table was locked by another session")

func compareTables(a, b table) int {
	return strings.Compare(a.schema+"."+a.name, b.schema+"."+b.name)
}

// insert writes the items' rows in one transaction, and counts them when it is
// committed.
func (l *Loader) insert(ctx context.Context, items []*item) error {
	if len(items) == 0 {
		return nil
	}
	var fresh []*input
	err := pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		stamps, err := takeTurn(ctx, tx, schemasOf(items), l.now())
		if err != nil {
			return err
		}
		if err := l.boundLocks(ctx, tx); err != nil {
			return err
		}
		// For thousands of ids Postgres would rather read a whole table than use
		// its key for each. A table without a key looks so dear then that it
		// would be worth compiling the query, which it is not.
		if _, err := tx.Exec(ctx, "set local enable_seqscan = off; set local jit = off"); err != nil {
			return err
		}
		fresh, err = l.insertAll(ctx, tx, items, stamps)
		return err
	})
	if err != nil {
		return err
	}
	now := l.now()
	for _, in := range fresh {
		l.metrics.rows.WithLabelValues(in.row.table.schema).Inc()
		for _, v := range in.lost {
			l.metrics.discards.WithLabelValues(in.row.table.schema, v.reason).Inc()
		}
		if rows := in.item.record.rows; len(rows) > 0 && in.row == &rows[0] {
			l.metrics.freshness.Observe(now.Sub(in.item.event.ReceivedAt).Seconds())
		}
	}
	return nil
}

// schemasOf returns the schemas that the items' rows go to.
func schemasOf(items []*item) []string {
	var schemas []string
	for _, it := range items {
		if schema := it.record.schema(); !slices.Contains(schemas, schema) {
			schemas = append(schemas, schema)
		}
	}
	return schemas
}

// insertAll writes the rows, then the states of those whose call is new, then
// what did not fit into either. It returns the inputs that were new.
func (l *Loader) insertAll(ctx context.Context, tx pgx.Tx, items []*item, stamps map[string]time.Time) ([]*input, error) {
	rows := make(map[table][]*input)
	for _, it := range items {
		for i := range it.record.rows {
			r := &it.record.rows[i]
			rows[r.table] = append(rows[r.table], l.fit(it, r, stamps))
		}
	}
	tables := slices.SortedFunc(maps.Keys(rows), compareTables)
	if err := l.newInputs(ctx, tx, tables, rows); err != nil {
		return nil, err
	}
	var fresh []*input
	isFresh := make(map[*row]bool)
	for _, t := range tables {
		if err := copyIn(ctx, tx, t, rows[t]); err != nil {
			return nil, &tableError{t, err}
		}
		for _, in := range rows[t] {
			fresh = append(fresh, in)
			isFresh[in.row] = true
		}
	}
	states := make(map[table][]*input)
	for _, it := range items {
		state, alone := it.record.state, len(it.record.rows) == 0
		if state != nil && (alone || isFresh[&it.record.rows[0]]) {
			in := l.fit(it, state, stamps)
			if alone && len(in.lost) > 0 {
				if err := withoutKept(ctx, tx, in); err != nil {
					return nil, err
				}
			}
			fresh = append(fresh, in)
			if _, ok := in.get("id"); ok {
				states[state.table] = append(states[state.table], in)
			}
		}
	}
	for _, t := range slices.SortedFunc(maps.Keys(states), compareTables) {
		if err := writeStates(ctx, tx, t, l.catalog.relation(t), states[t]); err != nil {
			return nil, &tableError{t, err}
		}
	}
	return fresh, l.insertDiscards(ctx, tx, fresh)
}

// fit casts a row to its table, with the time of the load.
func (l *Loader) fit(it *item, r *row, stamps map[string]time.Time) *input {
	rel := l.catalog.relation(r.table)
	in := fit(it, r, rel)
	if _, ok := r.standard["uuid_ts"]; ok {
		if text, ok := rel.columns["uuid_ts"].cast(timeValue(stamps[r.table.schema])); ok {
			in.set("uuid_ts", text)
		}
	}
	return in
}
