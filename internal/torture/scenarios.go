package torture

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Scenario is one kind of harm.
type Scenario struct {
	Name string
	// What it does, as a sentence for people.
	What string
	// prepare makes what does the harm, before the bridge starts.
	prepare func(ctx context.Context, binary, dir string) (harm, site, error)
}

// site is where bridges stand for a scenario.
type site struct {
	// dataDir is where the bridge has to keep its data, empty if it may be anywhere.
	dataDir string
	// bridges is how many there are. Defaults to 1.
	bridges int
	// settings of theirs, beside those of every scenario.
	settings string
}

// harm does something to a world.
type harm interface {
	// cycle does it once, and returns when the bridges can be used again.
	cycle(ctx context.Context, w *world) error
	// close takes away what was made for it.
	close() error
}

// Scenarios are all there are, in the order in which they run.
var Scenarios = []Scenario{
	{"kill", "SIGKILL at any moment, also in the middle of a start or a stop", simple(kill)},
	{"stop", "SIGTERM under load; the bridge has to stop in peace and in time", simple(stop)},
	{"power", "loss of power: SIGKILL, and what was not synced is gone from the disk", preparePower},
	{"disk", "a disk that is full, or whose syncs fail, for a moment", prepareBadDisk},
	{"postgres", "Postgres crashes, turns read-only, cuts or refuses connections, locks, is slow, takes rights away", simple(breakPostgres)},
	{"vero", "Vero is away, resets connections after it took the event, hangs, throttles, fails, refuses", simple(breakVero)},
	{"siege", "10,000 slow connections, bombs, forgeries and floods, while others are served", simple(besiege)},
	{"cluster", "three bridges on a NATS cluster: nodes and bridges are killed, a node is cut off, bridges are renewed one by one", prepareCluster},
}

// choose returns the scenarios of these names, all if there are none.
func choose(names []string) ([]Scenario, error) {
	if len(names) == 0 {
		return Scenarios, nil
	}
	var chosen []Scenario
	for _, name := range names {
		i := slices.IndexFunc(Scenarios, func(s Scenario) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no scenario %q; take some of %s", name, strings.Join(Names(), ", "))
		}
		chosen = append(chosen, Scenarios[i])
	}
	return chosen, nil
}

// Names returns the names of all scenarios.
func Names() []string {
	var names []string
	for _, s := range Scenarios {
		names = append(names, s.Name)
	}
	return names
}

// simple makes harm that needs nothing to be prepared.
func simple(do deed) func(context.Context, string, string) (harm, site, error) {
	return func(context.Context, string, string) (harm, site, error) { return do, site{}, nil }
}

// deed is harm that leaves nothing to take away.
type deed func(ctx context.Context, w *world) error

func (do deed) cycle(ctx context.Context, w *world) error { return do(ctx, w) }
func (deed) close() error                                 { return nil }
