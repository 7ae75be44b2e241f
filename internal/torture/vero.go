package torture

import (
	"context"
	"time"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// veroFaults are the ways in which Vero misbehaves, each for a moment.
var veroFaults = []mockvero.Fault{
	{Reset: true, Apply: true, Count: -1},                                // taken, and no answer
	{Reset: true, Count: -1},                                             // not taken, and no answer
	{Status: 500, Count: -1},                                             // not taken
	{Status: 502, Apply: true, Count: -1},                                // taken, and an answer that says otherwise
	{Status: 429, RetryAfter: "1", Count: -1},                            // throttled for seconds
	{Status: 429, RetryAfter: "Wed, 21 Oct 2015 07:28:00 GMT", Count: 1}, // until a time that is past
	{Status: 429, Count: 5},                                              // for a time that is not said
	{Status: 503, RetryAfter: "1", Count: -1},                            // in maintenance
	{Status: 401, Count: -1},                                             // the token is refused
	{Delay: 500 * time.Millisecond, Count: -1},                           // slow
	{Delay: 2 * time.Second, Reset: true, Apply: true, Count: 3},         // hangs, then resets
}

// breakVero makes Vero fail for a moment, in one of the ways in which APIs do,
// or be away.
func breakVero(ctx context.Context, w *world) error {
	i := w.random.IntN(len(veroFaults) + 1)
	if i == len(veroFaults) {
		if err := w.veroDoor.Close(); err != nil {
			return err
		}
		pause(ctx, w.moment(2*time.Second))
		return w.veroDoor.Open(ctx)
	}
	w.vero.Fault(veroFaults[i])
	pause(ctx, w.moment(2*time.Second))
	w.vero.ClearFaults()
	return nil
}
