package outbound

import (
	"encoding/json"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// relay is the state of one delivery in batches: what is left to send, in
// order, and who has to wait.
type relay struct {
	batch    []event.Event
	items    []json.RawMessage
	outcomes []delivery.Outcome
	pending  [][]int      // runs of indexes into batch, the next one first
	chain    []int        // index into batch to chain of people
	held     map[int]bool // chains that wait behind an event
}

func newRelay(batch []event.Event) *relay {
	r := &relay{
		batch:    batch,
		items:    make([]json.RawMessage, len(batch)),
		outcomes: make([]delivery.Outcome, len(batch)),
		chain:    make([]int, len(batch)),
		held:     make(map[int]bool),
	}
	for c, chain := range delivery.Chains(batch) {
		for _, i := range chain {
			r.chain[i] = c
		}
	}
	return r
}

// next returns the next run without those who have to wait, nil at the end.
func (r *relay) next() []int {
	for len(r.pending) > 0 {
		var run []int
		for _, i := range r.pending[0] {
			if r.held[r.chain[i]] {
				r.outcomes[i] = delivery.Behind()
			} else {
				run = append(run, i)
			}
		}
		r.pending = r.pending[1:]
		if len(run) > 0 {
			return run
		}
	}
	return nil
}

// split puts a run back as two halves.
func (r *relay) split(run []int) {
	half := len(run) / 2
	r.pending = append([][]int{run[:half], run[half:]}, r.pending...)
}

// hold makes later events of the same people wait.
func (r *relay) hold(run []int) {
	for _, i := range run {
		r.held[r.chain[i]] = true
	}
}

// stop ends the delivery: this run and all that is left get the outcome.
func (r *relay) stop(run []int, o delivery.Outcome) {
	for _, run := range append([][]int{run}, r.pending...) {
		for _, i := range run {
			r.outcomes[i] = o
		}
	}
	r.pending = nil
}
