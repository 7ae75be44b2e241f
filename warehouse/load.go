package warehouse

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

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

// byID returns the items in the order of their rows' ids, those with the same in
// theirs. Sorted ids go to a key's index side by side.
func byID(items []*item) []*item {
	id := func(it *item) string {
		if len(it.record.rows) == 0 {
			return ""
		}
		return it.record.rows[0].id
	}
	return slices.SortedStableFunc(slices.Values(items), func(a, b *item) int { return strings.Compare(id(a), id(b)) })
}

// uses says whether the item writes into a table.
func (it *item) uses(t table) bool {
	for _, r := range it.record.rows {
		if r.table == t || t.schema == r.table.schema && isDiscards(t.name) {
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
	missing := func(row *row) bool {
		for c := range row.cells() {
			if r.columns[c.column] == "" {
				return true
			}
		}
		return false
	}
	for i := range it.record.rows {
		if row := &it.record.rows[i]; row.table == t && missing(row) {
			return true
		}
	}
	return it.record.state != nil && it.record.state.table == t && missing(it.record.state)
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
//
// parts are those of the items, nil if they are still to be taken apart.
func (l *Loader) load(ctx context.Context, items []*item, parts []*part, t try) {
	bounded, cancel := context.WithTimeout(ctx, l.loadTimeout)
	defer cancel()
	items, parts, err := l.fitTables(bounded, items, parts)
	looked := l.wary > 0
	if err == nil {
		err = l.insert(bounded, items, parts)
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
	case isRepeat(err) && !looked:
		l.wary = wariness
		l.load(ctx, items, nil, t)
	case j.verdict == verdictLocked:
		l.load(ctx, l.postpone(items, delivery.Retry(j.reason, err, l.lockPause)), nil, t)
	case t == firstTry:
		// A row may be refused for the same reason: the column has another type
		// by now than the one that its value was cast to.
		l.catalog.forget()
		l.load(ctx, items, nil, lastTry)
	case j.verdict == verdictAgain:
		l.catalog.forget()
		l.load(ctx, l.postpone(items, delivery.Retry(j.reason, err, 0)), nil, t)
	case len(items) == 1:
		settle(items, delivery.Dead(j.reason, err))
	default:
		half := len(items) / 2
		l.load(ctx, items[:half], nil, t)
		l.load(ctx, items[half:], nil, t)
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
// for a lock, and returns the others, and what they have for each table.
func (l *Loader) fitTables(ctx context.Context, items []*item, parts []*part) ([]*item, []*part, error) {
	all := len(items)
	if parts == nil {
		parts = l.partsOf(items)
	}
	for _, p := range parts {
		if _, err := l.catalog.read(ctx, l.pool, p.table.schema); err != nil {
			return items, nil, err
		}
		pause, locked := l.locked[p.table]
		if locked && !l.now().Before(pause.until) {
			delete(l.locked, p.table)
			locked = false
		}
		cause := errLocked
		if !locked {
			err := l.evolve(ctx, p.table, p.need)
			if err == nil {
				continue
			}
			if judge(err).verdict != verdictLocked || l.catalog.relation(p.table) == nil {
				return items, nil, err
			}
			cause, pause = err, lock{until: l.now().Add(l.lockPause), ddl: true}
			l.locked[p.table] = pause
		}
		rel := l.catalog.relation(p.table)
		items = slices.DeleteFunc(slices.Clone(items), func(it *item) bool {
			if it.uses(p.table) && (!pause.ddl || rel == nil || it.misses(p.table, rel, l.maxColumns)) {
				*it.outcome = delivery.Retry(delivery.ReasonLocked, cause, pause.until.Sub(l.now()))
				return true
			}
			return false
		})
	}
	if len(items) < all {
		parts = l.partsOf(items)
	}
	for _, p := range parts {
		p.rel = l.catalog.relation(p.table)
	}
	return items, parts, nil
}

// errLocked is the error of an event whose table was found locked a moment ago
// and is left alone for a while.
var errLocked = errors.New("the table was locked by another session")

func compareTables(a, b table) int {
	return strings.Compare(a.schema+"."+a.name, b.schema+"."+b.name)
}
