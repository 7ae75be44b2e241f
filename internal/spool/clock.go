package spool

import (
	"context"
	"time"
)

// clock is the time that waits and verdicts go by. Tests let it fly.
type clock struct {
	now func() time.Time
	// sleep lets time pass, or returns when ctx ends.
	sleep func(ctx context.Context, d time.Duration)
	// wait says how long to look out for new records when nothing else is to be
	// done for d.
	wait func(d time.Duration) time.Duration
}

func wallClock() clock {
	return clock{now: time.Now, sleep: sleep, wait: func(d time.Duration) time.Duration { return d }}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
