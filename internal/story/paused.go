package story

import "github.com/verobridge/verobridge/internal/delivery"

// Paused says why everything waits that is there for a paused destination, and what
// to do, as the verdict on each such event does.
func Paused(why delivery.Reason) Verdict {
	p := &Place{Status: delivery.StatusWaiting, Standing: Standing{State: "paused", Reason: why}}
	v := firstOf(waitingCauses, &Story{}, p)
	v.Level, v.Detail = Bad, ""
	if v.Code == "paused" { // no reason of its own: what the reason says is all that is known
		v.Cause, v.Cure = "It "+why.Sentence()+".", "It goes on by itself when that is over."
	}
	return v
}
