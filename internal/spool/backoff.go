package spool

import (
	"cmp"
	"math/rand/v2"
	"time"
)

// Backoff is a wait that doubles with each failure.
type Backoff struct {
	Min, Max time.Duration
}

func (b Backoff) withDefaults(low, high time.Duration) Backoff {
	return Backoff{Min: cmp.Or(b.Min, low), Max: cmp.Or(b.Max, high)}
}

// wait returns how long to wait after a number of failures in a row, with up
// to a fifth of jitter so that many waits do not end at once.
func (b Backoff) wait(failures int) time.Duration {
	d := b.Min
	for range min(failures, 62) - 1 {
		if d >= b.Max {
			break
		}
		d *= 2
	}
	d = min(d, b.Max)
	return d - time.Duration(rand.Int64N(int64(d)/5+1))
}
