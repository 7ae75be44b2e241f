package siege

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Order is an attack with its strength: connections that are held, or requests a
// second.
type Order struct {
	Attack   string
	Strength int
}

// ParseOrder reads an order such as "slow-headers=5000".
func ParseOrder(text string) (Order, error) {
	name, number, _ := strings.Cut(text, "=")
	strength, err := strconv.Atoi(number)
	if err != nil || strength < 1 {
		return Order{}, fmt.Errorf("%q is no order; write it like slow-headers=5000", text)
	}
	if find(name) < 0 {
		return Order{}, fmt.Errorf("there is no attack %q; take one of %s", name, strings.Join(Names(), ", "))
	}
	return Order{name, strength}, nil
}

// String is what ParseOrder reads.
func (o Order) String() string { return fmt.Sprintf("%s=%d", o.Attack, o.Strength) }

// Names returns the names of all attacks.
func Names() []string {
	var names []string
	for _, a := range attacks {
		names = append(names, a.name)
	}
	return names
}

func find(name string) int {
	return slices.IndexFunc(attacks, func(a attack) bool { return a.name == name })
}

// Tally counts what came of attacks, by attack and what happened: a status, or
// "opened", "cut" and "refused" of connections.
type Tally map[string]map[string]int

// Add adds another tally.
func (t Tally) Add(other Tally) {
	for name, counts := range other {
		for what, n := range counts {
			t.count(name, what, n)
		}
	}
}

func (t Tally) count(name, what string, n int) {
	if t[name] == nil {
		t[name] = make(map[string]int)
	}
	t[name][what] += n
}

// assault is what all attacks of a process share.
type assault struct {
	target Target
	mu     sync.Mutex
	tally  Tally
	opened sync.WaitGroup // the connections that were not opened yet
}

func (a *assault) count(name, what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tally.count(name, what, 1)
}

// Yield gives this process the least of the machine's processors. Attackers have
// some of their own, and only what they do to those of the bridge counts.
func Yield() error { return yield() }

// Run attacks until ctx ends. It calls holding when every connection that is to
// be held was opened once.
func Run(ctx context.Context, target Target, orders []Order, holding func()) (Tally, error) {
	a := &assault{target: target, tally: make(Tally)}
	dial, err := a.dialer()
	if err != nil {
		return nil, err
	}
	var running sync.WaitGroup
	for _, o := range orders {
		attack := attacks[find(o.Attack)]
		if attack.request != nil {
			running.Go(func() { a.flood(ctx, attack, o.Strength, dial) })
			continue
		}
		a.opened.Add(o.Strength)
		for range o.Strength {
			running.Go(func() { a.hold(ctx, attack, dial) })
		}
	}
	a.opened.Wait()
	holding()
	running.Wait()
	return a.tally, nil
}
