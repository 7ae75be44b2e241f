package console

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// overviewPage is what the overview shows.
type overviewPage struct {
	// Since is from when on is counted, zero before the first look.
	Since time.Time
	// Ever says that events have come in since the start.
	Ever         bool
	Concerns     []concern
	In, Out      flow
	Answered     timing
	Fresh        timing
	Disk         disk
	Sources      []sourceRow
	Destinations []destinationRow
}

// flow is how much goes by a second, now and before.
type flow struct {
	Now    float64
	Before []float64
	Total  int
}

func flowOf(states []State, of func(State) int) flow {
	return flow{rateNow(states, of), rates(states, of), grown(states, of)}
}

// timing is in what time nearly all of something was done.
type timing struct {
	P50, P99 time.Duration
	Known    bool
}

func timingOf(states []State, of func(State) Histogram) timing {
	var t timing
	h := of(states[len(states)-1]).since(of(states[0]))
	t.P50, t.Known = h.quantile(0.5)
	t.P99, _ = h.quantile(0.99)
	return t
}

// disk is how full the spool is.
type disk struct {
	Bytes, Limit int64
	Share        float64
	FullIn       time.Duration
	Behind       string
}

type sourceRow struct {
	SourceState
	flow
	Rejected int
}

type destinationRow struct {
	DestinationState
	flow
	// Standing is a word for how it is: working, paused or behind.
	Word    string
	Letters int
	More    bool // at least as many letters as that
}

// behindFor is for how long an event may wait before the destination counts as
// behind: a batch on its way is not.
const behindFor = time.Minute

func (c *Console) overview(r *http.Request) (any, error) {
	return c.overviewOf(r.Context()), nil
}

func (c *Console) overviewOf(ctx context.Context) overviewPage {
	states, _ := c.history.all()
	if len(states) == 0 {
		return overviewPage{}
	}
	now := states[len(states)-1]
	letters := c.letters.count(ctx, c.o.Now())
	p := overviewPage{
		Since:    states[0].At,
		Concerns: concernsOf(states, letters),
		In:       flowOf(states, accepted),
		Out:      flowOf(states, func(s State) int { return settled(s, isRemote) }),
		Answered: timingOf(states, func(s State) Histogram { return s.Answered }),
		Fresh:    timingOf(states, func(s State) Histogram { return s.Fresh }),
		Disk:     disk{now.SpoolBytes, now.SpoolLimit, float64(now.SpoolBytes) / float64(max(now.SpoolLimit, 1)), now.FullIn, now.Behind},
	}
	p.Ever = accepted(now) > 0
	for _, s := range now.Sources {
		of := func(pick func(SourceState) int) func(State) int {
			return func(state State) int { return pick(sourceIn(state, s.Name)) }
		}
		p.Sources = append(p.Sources, sourceRow{
			s, flowOf(states, of(func(s SourceState) int { return s.Accepted })),
			grown(states, of(func(s SourceState) int { return s.Rejected })),
		})
	}
	for _, d := range now.Destinations {
		named := func(other DestinationState) bool { return other.Destination == d.Destination }
		row := destinationRow{DestinationState: d, flow: flowOf(states, func(s State) int { return settled(s, named) }), Word: "working"}
		row.Letters, row.More = letters.at(d.Destination)
		switch {
		case !d.PausedSince.IsZero():
			row.Word = "paused"
		case !d.BehindSince.IsZero() && now.At.Sub(d.BehindSince) > behindFor:
			row.Word = "behind"
		}
		p.Destinations = append(p.Destinations, row)
	}
	return p
}

func accepted(s State) int {
	sum := 0
	for _, source := range s.Sources {
		sum += source.Accepted
	}
	return sum
}

func rejected(s State) int {
	sum := 0
	for _, source := range s.Sources {
		sum += source.Rejected
	}
	return sum
}

// isRemote says whether a destination is reached over the network, unlike the
// warehouse, to which everything goes.
func isRemote(d DestinationState) bool { return d.Destination != warehouseName }

// warehouseName is the name of the warehouse among the destinations.
const warehouseName = "warehouse"

// settled counts what was delivered.
func settled(s State, pick func(DestinationState) bool) int {
	sum := 0
	for _, d := range s.Destinations {
		if pick(d) {
			sum += d.Delivered
		}
	}
	return sum
}

func sourceIn(s State, name string) SourceState {
	if i := slices.IndexFunc(s.Sources, func(s SourceState) bool { return s.Name == name }); i >= 0 {
		return s.Sources[i]
	}
	return SourceState{}
}

// streamOverview sends the overview whenever there is something new in it.
func (c *Console) streamOverview(w http.ResponseWriter, r *http.Request) {
	c.stream(w, r, c.tellOverview)
}

// tellOverview sends what the overview shows now, and again when that has changed.
func (c *Console) tellOverview(ctx context.Context, send func(html []byte) error) error {
	for {
		_, changed := c.history.all()
		out, err := c.fragment("overview", "now", c.overviewOf(ctx))
		if err != nil {
			return err
		}
		if err := send(out); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
