package spool

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// A paused destination says why and since when it is behind, and promises nothing
// for what it has not had. It is complete when it is done and all is reported, not
// before the reports are written.
func TestStandings(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), "vero")
	var down, deaf atomic.Bool
	down.Store(true)
	deaf.Store(true)
	d := newDestination("vero", func(event.Event) delivery.Outcome {
		if down.Load() {
			return delivery.Unavailable(delivery.ReasonRefused, errors.New("401"), 0)
		}
		return delivery.Delivered()
	})
	drainTo(t, s, d, DrainOptions{})
	e := call("ann", 0)
	appendAll(t, s, e)

	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(cancel)
	running.Go(func() {
		_ = s.DrainReports(ctx, func(context.Context, []delivery.Report) error {
			if deaf.Load() {
				return errors.New("the database is away")
			}
			return nil
		})
	})
	told := make(chan delivery.Standing)
	running.Go(func() {
		_ = s.WatchStandings(ctx, func(ctx context.Context, all []delivery.Standing) error {
			select {
			case told <- all[0]:
			case <-ctx.Done():
			}
			return nil
		})
	})
	await := func(what string, is func(delivery.Standing) bool) delivery.Standing {
		t.Helper()
		for timeout := time.After(deadline); ; {
			select {
			case st := <-told:
				if is(st) {
					return st
				}
			case <-timeout:
				t.Fatalf("waited %s for %s", deadline, what)
			}
		}
	}

	st := await("a pause", func(st delivery.Standing) bool { return !st.PausedSince.IsZero() })
	if st.Reason != delivery.ReasonRefused || !st.BehindSince.Equal(e.ReceivedAt) || st.Backlog != 1 {
		t.Errorf("paused: %+v, want credentials_refused, behind since %s by 1 record", st, e.ReceivedAt)
	}
	if st.CompleteUntil.After(e.ReceivedAt) {
		t.Errorf("complete until %s with an event of %s that waits", st.CompleteUntil, e.ReceivedAt)
	}
	down.Store(false)
	for range 3 { // as many looks as a promise takes
		st = await("the end of the pause", func(st delivery.Standing) bool { return st.PausedSince.IsZero() && st.Backlog == 0 })
	}
	if st.CompleteUntil.After(e.ReceivedAt) {
		t.Errorf("complete until %s before the report of %s is written", st.CompleteUntil, e.ReceivedAt)
	}
	deaf.Store(false)
	st = await("all to be complete", func(st delivery.Standing) bool { return st.CompleteUntil.After(e.ReceivedAt) })
	if !st.BehindSince.IsZero() || st.Reason != "" {
		t.Errorf("not behind and not paused, but %+v", st)
	}
}
