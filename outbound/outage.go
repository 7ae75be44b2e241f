package outbound

import (
	"context"
	"sync/atomic"

	"github.com/verobridge/verobridge/internal/delivery"
)

// silences is how many events in a row may get no answer before no other is
// begun: each of them may be in doubt for good.
const silences = 10

// outage is what the calls of one delivery, made in parallel, say about the
// destination as a whole.
type outage struct {
	// end ends the waiting of events for their turn.
	end     context.CancelFunc
	verdict atomic.Pointer[delivery.Outcome]
	silent  atomic.Int32 // events in a row without an answer
}

// note takes an outcome into account and returns it, or, for an event that is
// not tried while there is an outage, the outage as its outcome.
func (o *outage) note(outcome delivery.Outcome) delivery.Outcome {
	switch reason := outcome.Reason(); {
	case outcome.Unavailable():
		o.begin(outcome)
	case reason == delivery.ReasonUnanswered, reason == delivery.ReasonUnreachable:
		if o.silent.Add(1) == silences {
			o.begin(delivery.Unavailable(delivery.ReasonUnreachable, outcome.Err(), 0))
		}
	case len(outcome.Calls()) > 0:
		o.silent.Store(0)
	}
	if verdict := o.verdict.Load(); verdict != nil && !outcome.Tried() {
		return delivery.Unavailable(verdict.Reason(), verdict.Err(), verdict.After())
	}
	return outcome
}

func (o *outage) begin(verdict delivery.Outcome) {
	o.verdict.CompareAndSwap(nil, &verdict)
	o.end()
}
