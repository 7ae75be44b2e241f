package spool

import (
	"container/heap"
	"slices"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// lane is the order in which the events of one destination are tried again. The
// retry stream keeps the events (lane_store.go); here is when each is due and
// whom it is about. An entry is a head when it is the oldest of each of its
// people, and only heads are tried, with what follows them and is due as well:
//
//	ann   7 due 10:00:08 ── 12 due at once      12 waits behind 7
//	bob   9 due 10:00:02 ── 12                  and behind 9
type lane struct {
	queues map[string][]*entry // by person, oldest first
	events map[string]*entry   // by source and messageId
	groups map[uint64]*group   // by record
	doubts map[*entry]bool     // those in doubt
	heads  headHeap
	added  uint64
}

// entry is one event that waits.
type entry struct {
	key      string // in lane.events
	people   []string
	origin   origin
	group    *group
	index    int // in the group
	order    uint64
	due      time.Time
	attempts int
	since    time.Time
	doubt    time.Time        // until when a repetition is harmless, zero if nothing is in doubt
	silence  delivery.Outcome // that put it in doubt, not valid after a restart
	position int              // in heads, -1 for one that is no head
}

// group is one record of the retry stream.
type group struct {
	seq     uint64
	entries []*entry // by index; nil for those that are settled
	settled bits
	left    int
}

func newLane() *lane {
	return &lane{
		queues: make(map[string][]*entry),
		events: make(map[string]*entry),
		groups: make(map[uint64]*group),
		doubts: make(map[*entry]bool),
	}
}

func keyOf(e event.Event) string { return e.Source + "\x00" + e.ID }

// add puts the events of a new record at the end of the lane.
func (l *lane) add(g *group) {
	l.groups[g.seq] = g
	for _, e := range g.entries {
		if e == nil {
			continue
		}
		g.left++
		l.added++
		e.order, e.position = l.added, -1
		l.events[e.key] = e
		if !e.doubt.IsZero() {
			l.doubts[e] = true
		}
		for _, id := range e.people {
			l.queues[id] = append(l.queues[id], e)
		}
		l.promote(e)
	}
}

// promote makes an entry a head if it is the oldest of all its people.
func (l *lane) promote(e *entry) {
	if e.position >= 0 {
		return
	}
	for _, id := range e.people {
		if l.queues[id][0] != e {
			return
		}
	}
	heap.Push(&l.heads, e)
}

// remove takes out an entry that is settled. It returns its group when that was
// the last of it.
func (l *lane) remove(e *entry) (done *group) {
	if l.events[e.key] == e {
		delete(l.events, e.key)
	}
	delete(l.doubts, e)
	if e.position >= 0 {
		heap.Remove(&l.heads, e.position)
	}
	for _, id := range e.people {
		queue := l.queues[id]
		i := slices.Index(queue, e)
		if queue = slices.Delete(queue, i, i+1); len(queue) == 0 {
			delete(l.queues, id)
			continue
		}
		l.queues[id] = queue
		l.promote(queue[0])
	}
	g := e.group
	g.entries[e.index] = nil
	g.settled.set(e.index)
	if g.left--; g.left == 0 {
		delete(l.groups, g.seq)
		return g
	}
	return nil
}

// delay sets when an entry is tried next, and how it failed so far.
func (l *lane) delay(e *entry, w waiter) {
	e.due, e.attempts, e.since = w.due, w.attempts, w.item.since
	if e.doubt = w.item.doubt; !e.doubt.IsZero() {
		l.doubts[e] = true
	}
	if w.silence.Valid() {
		e.silence = w.silence
	}
	if e.position >= 0 {
		heap.Fix(&l.heads, e.position)
	}
}

// oldest returns the oldest entry of one of these people, nil if none waits.
func (l *lane) oldest(people []string) *entry {
	var first *entry
	for _, id := range people {
		if queue := l.queues[id]; len(queue) > 0 && (first == nil || queue[0].origin.before(first.origin)) {
			first = queue[0]
		}
	}
	return first
}

// nextDue returns when the first head is due.
func (l *lane) nextDue() (at time.Time, any bool) {
	if len(l.heads) == 0 {
		return time.Time{}, false
	}
	return l.heads[0].due, true
}

// ready returns the entries to try now, oldest first: heads that are due, and
// those behind them that are due as well, for a destination keeps the order
// inside a batch.
func (l *lane) ready(now time.Time, limit int) []*entry {
	taken := l.heads.due(now, limit)
	count := make(map[string]int) // entries taken from the front of each queue
	isTaken := make(map[*entry]bool, len(taken))
	for _, e := range taken {
		isTaken[e] = true
	}
	for i := 0; i < len(taken) && len(taken) < limit; i++ {
		for _, id := range taken[i].people {
			count[id]++
		}
		for _, id := range taken[i].people {
			queue := l.queues[id]
			if count[id] >= len(queue) || len(taken) >= limit {
				continue
			}
			next := queue[count[id]]
			isNext := func(id string) bool { return l.queues[id][count[id]] == next }
			if !isTaken[next] && !next.due.After(now) && allOf(next.people, isNext) {
				taken, isTaken[next] = append(taken, next), true
			}
		}
	}
	slices.SortFunc(taken, func(a, b *entry) int { return int(a.order) - int(b.order) })
	return taken
}

func allOf(ids []string, is func(string) bool) bool {
	for _, id := range ids {
		if !is(id) {
			return false
		}
	}
	return true
}

// headHeap orders heads by when they are due. It implements heap.Interface.
type headHeap []*entry

func (h headHeap) Len() int           { return len(h) }
func (h headHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h headHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].position, h[j].position = i, j
}

func (h *headHeap) Push(x any) {
	e := x.(*entry)
	e.position = len(*h)
	*h = append(*h, e)
}

func (h *headHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	e.position = -1
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}

// due returns heads that are due, at most limit, without changing the heap:
// below a head that is not due there is none that is.
func (h headHeap) due(now time.Time, limit int) []*entry {
	var due []*entry
	for visit := []int{0}; len(visit) > 0 && len(due) < limit; {
		i := visit[0]
		visit = visit[1:]
		if i < len(h) && !h[i].due.After(now) {
			due = append(due, h[i])
			visit = append(visit, 2*i+1, 2*i+2)
		}
	}
	return due
}
