package spool

import (
	"cmp"
	"context"
	"math"

	"golang.org/x/time/rate"
)

// defaultReplayRate is how many events a second are sent again.
const defaultReplayRate = 50

// pace bounds how fast a replay goes.
type pace struct {
	byDefault float64 // events a second
	limiter   *rate.Limiter
}

func newPace(byDefault float64) *pace {
	p := &pace{byDefault: cmp.Or(byDefault, defaultReplayRate), limiter: rate.NewLimiter(0, 0)}
	p.set(0)
	return p
}

// set changes the rate, 0 being the default.
func (p *pace) set(eventsPerSecond float64) {
	eventsPerSecond = cmp.Or(eventsPerSecond, p.byDefault)
	if p.limiter.Limit() != rate.Limit(eventsPerSecond) {
		p.limiter.SetLimit(rate.Limit(eventsPerSecond))
		p.limiter.SetBurst(int(math.Ceil(eventsPerSecond)))
	}
}

// wait waits until n events may be sent, or ctx ends.
func (p *pace) wait(ctx context.Context, eventsPerSecond float64, n int) {
	p.set(eventsPerSecond)
	_ = p.limiter.WaitN(ctx, min(n, p.limiter.Burst())) // it fails only when ctx ends
}

// limit bounds a batch: what is sent again in a second, so that nobody waits for
// longer behind a replay.
func (d *drain) limit() int {
	if d.pace == nil {
		return d.o.MaxEvents
	}
	d.pace.set(d.window.rate())
	return min(d.o.MaxEvents, d.pace.limiter.Burst())
}
