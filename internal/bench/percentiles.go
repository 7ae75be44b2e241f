package bench

import "time"

// percentiles say how long most waited.
type percentiles struct {
	N             int
	P50, P95, P99 time.Duration
}

// percentilesOf looks at sorted waits.
func percentilesOf(sorted []time.Duration) percentiles {
	if len(sorted) == 0 {
		return percentiles{}
	}
	at := func(share float64) time.Duration { return sorted[int(share*float64(len(sorted)-1))] }
	return percentiles{N: len(sorted), P50: at(0.50), P95: at(0.95), P99: at(0.99)}
}

// add takes in those of a further slice: the mean of both, each as heavy as it is
// long. It is no percentile of all, which would take all waits, but near it where
// slices are alike.
func (p *percentiles) add(o percentiles) {
	if p.N+o.N == 0 {
		return
	}
	mean := func(a, b time.Duration) time.Duration {
		return (a*time.Duration(p.N) + b*time.Duration(o.N)) / time.Duration(p.N+o.N)
	}
	*p = percentiles{N: p.N + o.N, P50: mean(p.P50, o.P50), P95: mean(p.P95, o.P95), P99: mean(p.P99, o.P99)}
}
