package spool

import (
	"cmp"
	"slices"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// origin is where an event was read: a record's sequence and its place in it.
// Events are accepted in the order of their origins.
type origin struct {
	seq   uint64
	index int
}

func (o origin) before(other origin) bool {
	return o.seq < other.seq || o.seq == other.seq && o.index < other.index
}

// item is one event on its way to a destination.
type item struct {
	event  event.Event
	origin origin
	// people are those whose order matters, none where order does not.
	people []string
	// skip is why the event is not for the destination, "" if it is.
	skip delivery.Reason
	// waiting is its entry in the retry lane, nil for a fresh event.
	waiting *entry
	// attempts counts those before this one.
	attempts int
	// since is when it failed first, by the destination's uptime; zero if it never
	// did.
	since time.Time
	// doubt is until when a repetition is harmless, zero if nothing is in doubt.
	doubt time.Time
}

func (it item) inDoubt() bool { return !it.doubt.IsZero() }

// isTooLate says whether it is too late to repeat what is in doubt.
func (it item) isTooLate(now time.Time) bool { return it.inDoubt() && !now.Before(it.doubt) }

// window holds the records that were read and are not done, oldest first. Their
// events are handled in any order; a record is done when all of its events are,
// and all records before it.
type window struct {
	records []*windowRecord
	open    int    // events that are not handled
	bytes   int    // of the bodies of records with such events
	last    uint64 // the record that was read last
}

type windowRecord struct {
	seq     uint64
	items   []item // those for the destination
	handled bits   // by place in the record
	left    int
	bytes   int
	rate    float64 // at which a replay wants its events, 0 for the default
}

func (w *window) add(r *windowRecord) {
	r.left = len(r.items)
	for _, it := range r.items {
		r.bytes += len(it.event.Body)
	}
	w.records = append(w.records, r)
	w.open += r.left
	w.bytes += r.bytes
	w.last = r.seq
}

// unhandled returns the oldest events that are not handled, at most limit.
func (w *window) unhandled(limit int) []item {
	var items []item
	for _, r := range w.records {
		for _, it := range r.items {
			if len(items) >= limit {
				return items
			}
			if !r.handled.has(it.origin.index) {
				items = append(items, it)
			}
		}
	}
	return items
}

// handle marks an event as handled.
func (w *window) handle(o origin) {
	i, found := slices.BinarySearchFunc(w.records, o.seq, func(r *windowRecord, seq uint64) int { return cmp.Compare(r.seq, seq) })
	if !found || w.records[i].handled.has(o.index) {
		return
	}
	r := w.records[i]
	r.handled.set(o.index)
	r.left--
	w.open--
	if r.left == 0 {
		w.bytes -= r.bytes
		r.items = nil
	}
}

// advance drops the records that are done and updates what progress says.
func (w *window) advance(p *progress) {
	for len(w.records) > 0 && w.records[0].left == 0 {
		p.Next = w.records[0].seq + 1
		w.records = w.records[1:]
	}
	handled := make(map[uint64]bits)
	for seq, b := range p.Handled {
		if seq > w.last { // not read again since the start
			handled[seq] = b
		}
	}
	for _, r := range w.records {
		if len(r.handled) > 0 {
			handled[r.seq] = r.handled
		}
	}
	p.Handled = handled
}

// rate returns how fast a replay wants the oldest events that are not handled, 0
// for the default.
func (w *window) rate() float64 {
	for _, r := range w.records {
		if r.left > 0 {
			return r.rate
		}
	}
	return 0
}
