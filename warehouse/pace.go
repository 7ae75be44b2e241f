package warehouse

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// answerTimeout is how long the database may take to say that it is there.
const answerTimeout = 5 * time.Second

// pace is how many events a transaction gets. It halves after one that took too
// long, and is then remembered from delivery to delivery: a batch that is too
// large for the database must not be tried whole again and again. It grows back
// a little with each one that did not.
type pace struct{ width int }

// lose halves the width after n events took too long.
func (p *pace) lose(n int) { p.width = max(1, n/2) }

// gain widens after n events, if these were as many as may be.
func (p *pace) gain(n int) {
	if n >= p.width {
		p.width = min(largestChunk, p.width+p.width/8+1)
	}
}

// slowDown answers a transaction that took too long: a part of its items is to
// be tried alone, unless nobody is there, or its turn did not come, which is no
// fault of its size. An item that is alone already has to wait, so that it does
// not hold up the others.
func (l *Loader) slowDown(ctx context.Context, items []*item, j judgement, err error) {
	asking, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	var failed *tableError
	switch {
	case errors.As(err, &failed) && failed.table == turns, l.pool.Ping(asking) != nil:
		settle(items, delivery.Unavailable(j.reason, err, 0))
	case len(items) == 1:
		settle(items, delivery.Retry(j.reason, err, 0))
	default:
		l.pace.lose(len(items))
	}
}

// undecided returns the items that have no outcome yet.
func undecided(items []*item) []*item {
	return slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return it.outcome.Valid() })
}
