package outbound

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// leastRate is how many calls a second are made however often the destination
	// says that they are too many.
	leastRate = 1
	// growth is by how much the rate grows in each second of calls that succeed:
	// after 15 s of them a halving is undone.
	growth = 1.05
	// mostRate is where a rate that grows without a setting stops to matter.
	mostRate = 10_000
	// shortest is the least time from which the calls of a second are estimated.
	shortest = 100 * time.Millisecond
	// burstShare is the part of a second's calls that may begin at once, after a
	// pause as well.
	burstShare = 0.1
)

// pace is when calls to a destination may begin: at most as many a second as its
// settings say, and fewer after it has answered that they are too many. Callers
// take their turns in the order in which they ask, so that nobody waits for
// another person's many calls.
//
//	answer 429 ──▶ half of the calls of the last second
//	success    ──▶ a little more each second, up to the setting
type pace struct {
	full    float64 // the setting, infinite for none
	limiter *rate.Limiter
	// next has room for the one that takes the next turn from the limiter. A turn
	// that is taken while later ones are is not given back if its caller gives up,
	// so that those who do would slow down all who come after them.
	next chan struct{}

	mu      sync.Mutex
	limit   float64
	changed time.Time // when limit was
	lowered time.Time // when limit was lowered last
	// begun counts the calls of the second that began at since, and before those
	// of the second before it.
	since         time.Time
	begun, before int
}

// checkRate says what is wrong with a setting of calls a second.
func checkRate(perSecond float64) error {
	if perSecond == 0 || perSecond >= leastRate {
		return nil
	}
	return fmt.Errorf("rate must be at least %d, the calls a second, or 0 for no limit", leastRate)
}

// newPace returns a pace of perSecond calls, 0 for no limit.
func newPace(perSecond float64) *pace {
	if perSecond == 0 {
		perSecond = math.Inf(1)
	}
	p := &pace{full: perSecond, limiter: rate.NewLimiter(0, 1), next: make(chan struct{}, 1)}
	p.set(perSecond, time.Time{})
	return p
}

// wait returns when calls may begin that are made one after the other, or an
// error if that is later than ctx allows.
func (p *pace) wait(ctx context.Context, calls int) error {
	select {
	case p.next <- struct{}{}:
		defer func() { <-p.next }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := p.limiter.Wait(ctx); err != nil {
		return err
	}
	for range calls - 1 {
		p.limiter.Reserve() // paid off before the next turn
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(time.Now())
	p.begun += calls
	return nil
}

// turn begins a new second of the count when the last one is over.
func (p *pace) turn(now time.Time) {
	switch elapsed := now.Sub(p.since); {
	case elapsed < time.Second:
		return
	case elapsed < 2*time.Second:
		p.before = p.begun
	default:
		p.before = 0
	}
	p.begun, p.since = 0, now
}

// tooMany says that a call which began at that time was answered with the demand
// for fewer. It counts once for the calls that were under way and those of the
// next second, which follows too soon to show what the lower rate is worth.
func (p *pace) tooMany(began time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if began.Before(p.lowered.Add(time.Second)) {
		return
	}
	now := time.Now()
	p.lowered = now
	p.set(max(leastRate, min(p.limit, p.observed(now))/2), now)
}

// observed returns how many calls a second are begun lately.
func (p *pace) observed(now time.Time) float64 {
	p.turn(now)
	sofar := max(now.Sub(p.since), shortest)
	return max(float64(p.before), float64(p.begun)/sofar.Seconds())
}

// fine says that a call succeeded.
func (p *pace) fine() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.limit >= p.full || now.Sub(p.changed) < time.Second {
		return
	}
	limit := min(p.limit*growth, p.full)
	if limit > mostRate {
		limit = p.full
	}
	p.set(limit, now)
}

func (p *pace) set(limit float64, now time.Time) {
	p.limit, p.changed = limit, now
	if math.IsInf(limit, 1) {
		p.limiter.SetLimit(rate.Inf)
		return
	}
	p.limiter.SetLimit(rate.Limit(limit))
	p.limiter.SetBurst(max(1, int(limit*burstShare)))
}

// current returns the calls a second that may begin now.
func (p *pace) current() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limit
}
