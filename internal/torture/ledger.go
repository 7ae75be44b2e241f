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
}

func newLedger() *ledger { return &ledger{ids: make(map[string]bool)} }

// acknowledge notes that the bridge has taken events.
func (l *ledger) acknowledge(ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.ids[id] = true
	}
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
