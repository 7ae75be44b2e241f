package outbound

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

const (
	// triggerWindow is the hour of triggers_per_hour.
	triggerWindow = time.Hour
	// maxTriggers bounds the memory of one source, to about 20 MiB: 73 triggers
	// a second for an hour. Beyond it nothing is sent, since forgetting the
	// oldest would let a flood of made-up people wash away the count of a real
	// one.
	maxTriggers = 1 << 18
)

// triggers counts how often each person was the cause of an event at Vero
// within the last hour.
//
//	oldest ──────── triggerWindow ────────▶ newest
//	[trigger][trigger][trigger] … [trigger]
//	 └ leaves count and seen when the newest is an hour younger
//
// Time is that of the events' receipt, which no client can set and which is the
// same whenever the event is delivered: a backlog that goes out within a minute
// counts as the hours in which it came in. The count is in memory. A restart
// forgets it, so that a person may get twice the number in the hour around one.
type triggers struct {
	limit int
	seed  maphash.Seed

	mu     sync.Mutex
	newest time.Time
	queue  []trigger
	count  map[uint64]int      // by person
	seen   map[uint64]struct{} // by person and message
}

// trigger is one event that was let through.
type trigger struct {
	at              time.Time
	person, message uint64 // hashes
}

func newTriggers(limit int) *triggers {
	return &triggers{
		limit: limit,
		seed:  maphash.MakeSeed(),
		count: make(map[uint64]int),
		seen:  make(map[uint64]struct{}),
	}
}

// take counts a message of a person and returns why it must not be sent, or "".
// A message that was let through is let through again, and not counted again:
// a retry is no second trigger.
func (t *triggers) take(person, message string, receivedAt time.Time) delivery.Reason {
	next := trigger{
		person:  maphash.String(t.seed, person),
		message: maphash.Comparable(t.seed, [2]string{person, message}),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if receivedAt.After(t.newest) {
		t.newest = receivedAt
	}
	next.at = t.newest
	t.expire()
	if _, again := t.seen[next.message]; again {
		return ""
	}
	switch {
	case t.count[next.person] >= t.limit:
		return delivery.ReasonBrowserTriggers
	case len(t.queue) >= maxTriggers:
		return delivery.ReasonBrowserFlood
	}
	t.queue = append(t.queue, next)
	t.count[next.person]++
	t.seen[next.message] = struct{}{}
	return ""
}

// expire forgets what is older than the window.
func (t *triggers) expire() {
	for len(t.queue) > 0 && t.newest.Sub(t.queue[0].at) >= triggerWindow {
		old := t.queue[0]
		t.queue = t.queue[1:]
		delete(t.seen, old.message)
		if t.count[old.person]--; t.count[old.person] == 0 {
			delete(t.count, old.person)
		}
	}
}
