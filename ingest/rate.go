package ingest

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// maxRetryAfter bounds how long a client is told to wait. SDKs stop their whole
// queue for that time.
const maxRetryAfter = 10 * time.Second

// newLimiter returns the limit on the events of one write key: perSecond on
// average, after a burst of as many as a second allows. Nil is no limit.
func newLimiter(perSecond float64) *rate.Limiter {
	if perSecond == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), int(math.Ceil(perSecond)))
}

// take charges n events to the write key, or returns an error that says when
// to come again. A batch that is larger than the burst is let through whole,
// since it cannot be sent otherwise, and is paid off before the next one.
func (c *credential) take(n int, now time.Time) error {
	if c.limiter == nil || n == 0 {
		return nil
	}
	if !c.limiter.AllowN(now, 1) {
		missing := 1 - c.limiter.TokensAt(now)
		return overRate(time.Duration(missing / float64(c.limiter.Limit()) * float64(time.Second)))
	}
	for rest, burst := n-1, c.limiter.Burst(); rest > 0; rest -= burst {
		c.limiter.ReserveN(now, min(rest, burst)) // into debt, so it always succeeds
	}
	return nil
}
