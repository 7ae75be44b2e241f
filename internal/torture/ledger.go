package torture

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// ledger remembers what was acknowledged.
type ledger struct {
	mu      sync.Mutex
	ids     map[string]bool
	last    time.Time     // of the last acknowledgement
	longest time.Duration // between two of them
	// took is how long batches waited to be acknowledged, since somebody asked.
	took []time.Duration
}

func newLedger() *ledger { return &ledger{ids: make(map[string]bool)} }

// acknowledge notes that the bridge has taken events, and how long after they were
// sent for the first time.
func (l *ledger) acknowledge(ids []string, after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.ids[id] = true
	}
	l.took = append(l.took, after)
	now := time.Now()
	if !l.last.IsZero() {
		l.longest = max(l.longest, now.Sub(l.last))
	}
	l.last = now
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ids)
}

// acknowledged returns the ids, in order.
func (l *ledger) acknowledged() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.ids))
}

// longestStall returns the longest time in which nobody got an acknowledgement.
func (l *ledger) longestStall() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.longest
}

// takeLatencies returns how long the batches since the last call waited to be
// acknowledged.
func (l *ledger) takeLatencies() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	took := l.took
	l.took = nil
	return took
}
