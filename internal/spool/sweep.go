package spool

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// sweepEvery is how often a destination looks over the events that it holds.
const sweepEvery = time.Minute

// sweep lets a destination that holds events give up those whose time is over,
// and settles them. What goes wrong there is for the log: the events stay held
// and the next sweep tries again.
func (d *drain) sweep(ctx context.Context) error {
	sweeper, holds := d.destination.(delivery.Sweeper)
	now := d.clock.now()
	if !holds || d.pace != nil || now.Sub(d.sweptAt) < sweepEvery {
		return nil
	}
	d.sweptAt = now
	resolved, err := trySweep(ctx, sweeper)
	if err != nil && ctx.Err() == nil {
		d.log.Error("cannot look over the events that are held; trying again in a minute", "error", err)
	}
	return d.settle(ctx, nil, resolved)
}

func trySweep(ctx context.Context, s delivery.Sweeper) (resolved []delivery.Resolved, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return s.Sweep(ctx)
}

// resolvedBy collects the held events that are done with, whatever became of
// the events that resolved them.
func resolvedBy(outcomes []delivery.Outcome) []delivery.Resolved {
	var resolved []delivery.Resolved
	for _, o := range outcomes {
		resolved = append(resolved, o.Resolved()...)
	}
	return resolved
}
