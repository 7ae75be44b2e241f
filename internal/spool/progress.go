package spool

import "time"

// progress says what a reader of a stream has done, as one record that replaces
// the one before it. It is synced like every record, so what it says is true
// after a crash.
type progress struct {
	// Next is the first record that is not done.
	Next uint64 `json:"next"`
	// Handled marks the events of records from Next on that are done all the
	// same, because what they share a record with is not.
	Handled map[uint64]bits `json:"handled,omitempty"`
	// Lane marks the settled events of records in the retry lane.
	Lane map[uint64]bits `json:"lane,omitempty"`
	// Doubts says, of events in the retry lane by record and place, until when it
	// is harmless to repeat a request that may have taken effect.
	Doubts map[uint64]map[int]time.Time `json:"doubts,omitempty"`
	// Down is for how long the destination has been paused, all pauses together.
	Down time.Duration `json:"down,omitempty"`
}

// handle marks an event of a record that is not done as done.
func (p *progress) handle(o origin) {
	if o.seq < p.Next {
		return
	}
	if p.Handled == nil {
		p.Handled = make(map[uint64]bits)
	}
	b := p.Handled[o.seq]
	b.set(o.index)
	p.Handled[o.seq] = b
}

// bits is a set of small numbers.
type bits []byte

func (b bits) has(i int) bool { return i/8 < len(b) && b[i/8]&(1<<(i%8)) != 0 }

func (b *bits) set(i int) {
	for len(*b) <= i/8 {
		*b = append(*b, 0)
	}
	(*b)[i/8] |= 1 << (i % 8)
}
