package torture

import (
	"context"
	"time"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// breakVero makes Vero fail for a moment, in one of the ways in which APIs do.
func breakVero(ctx context.Context, w *world) error {
	faults := []mockvero.Fault{
		{Reset: true, Apply: true, Count: -1},                                // taken, and no answer
		{Reset: true, Count: -1},                                             // not taken, and no answer
		{Status: 500, Count: -1},                                             //
		{Status: 502, Apply: true, Count: -1},                                // taken, and an answer that says otherwise
		{Status: 429, RetryAfter: "1", Count: -1},                            //
		{Status: 429, RetryAfter: "Wed, 21 Oct 2015 07:28:00 GMT", Count: 1}, // a date that is past
		{Status: 401, Count: -1},                                             //
		{Delay: 500 * time.Millisecond, Count: -1},                           // slow
		{Delay: 2 * time.Second, Reset: true, Apply: true, Count: 3},         // hangs, then resets
	}
	w.vero.Fault(faults[w.random.IntN(len(faults))])
	pause(ctx, w.moment(2*time.Second))
	w.vero.ClearFaults()
	return nil
}
