package spool

import (
	"context"
	"sync"
	"time"
)

// flight is a clock that flies: nobody waits, and the time passes all the same.
// Only what the server does takes real time.
type flight struct {
	mu  sync.Mutex
	now time.Time
}

// fly gives a spool a clock that flies. No drain may run yet.
func fly(s *Spool) *flight {
	f := &flight{now: time.Now()}
	s.clock = clock{
		now:   f.time,
		sleep: func(_ context.Context, d time.Duration) { f.pass(d) },
		wait: func(d time.Duration) time.Duration {
			f.pass(d)
			return time.Millisecond
		},
	}
	return f
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
