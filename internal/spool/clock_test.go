package spool

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"
)

// flight is a clock that flies: nobody waits, and the time passes all the same.
// Only what the server does takes real time.
type flight struct {
	mu    sync.Mutex
	now   time.Time
	holds bool // time passes only when the test says so
}

// openFlying opens a spool with a clock that flies. Its waits are those that
// verobridge has by default.
func openFlying(t *testing.T, dir string, f *flight) *Spool {
	t.Helper()
	s, err := Open(t.Context(), Options{
		Dir:          dir,
		Destinations: []string{"vero"},
		MaxBytes:     1 << 20,
		Logger:       slog.New(slog.NewTextHandler(t.Output(), nil)),
		clock: clock{
			now: f.time,
			sleep: func(ctx context.Context, d time.Duration) {
				f.pass(d)
				sleep(ctx, time.Millisecond) // so that nothing turns in haste
			},
			wait: func(d time.Duration) time.Duration {
				if d == replayWait {
					return idleWait // for what no test with this clock sends
				}
				if !f.holds {
					f.pass(d)
				}
				return shortWait
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close spool: %v", err)
		}
	})
	return s
}

func (f *flight) time() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *flight) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(max(d, 0))
}
