package console

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// sampleEvery is how often the state is looked at, sampleWindow for how long
	// that is remembered.
	sampleEvery  = 5 * time.Second
	sampleWindow = 30 * time.Minute
	// sampleTimeout bounds one look.
	sampleTimeout = 4 * time.Second
)

// history remembers how the bridge stood, for rates and the lines that show them.
type history struct {
	mu      sync.Mutex
	states  []State // oldest first
	changed chan struct{}
}

func newHistory() *history { return &history{changed: make(chan struct{})} }

// sample looks at the state again and again until ctx ends. A look that fails is
// one that is missing.
func (h *history) sample(ctx context.Context, look func(context.Context) (State, error)) {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		looking, cancel := context.WithTimeout(ctx, sampleTimeout)
		if s, err := look(looking); err == nil {
			h.add(s)
		}
		cancel()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// add remembers a state, and tells who waits for it.
func (h *history) add(s State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, s)
	old := 0
	for s.At.Sub(h.states[old].At) > sampleWindow {
		old++
	}
	h.states = slices.Delete(h.states, 0, old)
	close(h.changed)
	h.changed = make(chan struct{})
}

// all returns the states, oldest first, and what is closed when there is a new
// one.
func (h *history) all() (states []State, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.states), h.changed
}

// rates returns how much a number grew a second between one state and the next.
func rates(states []State, of func(State) int) []float64 {
	var rates []float64
	for i := 1; i < len(states); i++ {
		seconds := states[i].At.Sub(states[i-1].At).Seconds()
		rates = append(rates, float64(max(of(states[i])-of(states[i-1]), 0))/max(seconds, 0.001))
	}
	return rates
}

// recent is the time over which "now" is averaged.
const recent = 30 * time.Second

// rateNow returns how much a number grew a second of late.
func rateNow(states []State, of func(State) int) float64 {
	if len(states) < 2 {
		return 0
	}
	last := states[len(states)-1]
	first := last
	for _, s := range slices.Backward(states) {
		if last.At.Sub(s.At) > recent {
			break
		}
		first = s
	}
	if !last.At.After(first.At) {
		return 0
	}
	return float64(max(of(last)-of(first), 0)) / last.At.Sub(first.At).Seconds()
}

// grown returns how much a number grew in all that is remembered.
func grown(states []State, of func(State) int) int {
	if len(states) == 0 {
		return 0
	}
	return max(of(states[len(states)-1])-of(states[0]), 0)
}
