package people

import (
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// doubtUntil is until when the repetition of a held event is harmless, and what
// put it in doubt.
type doubtUntil struct {
	until   time.Time
	silence delivery.Outcome
}

// doubt remembers that an event may have taken effect.
func (h *held) doubt(e event.Event, until time.Time, silence delivery.Outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, already := h.doubts[keyOf(e)]; !already {
		h.doubts[keyOf(e)] = doubtUntil{until, silence}
	}
}

// tooLate returns Ambiguous for an event that may have taken effect and cannot
// be repeated without risk, an outcome that is not valid for others.
func (h *held) tooLate(e event.Event, now time.Time) delivery.Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	d, doubted := h.doubts[keyOf(e)]
	if !doubted || !now.After(d.until) {
		return delivery.Outcome{}
	}
	return delivery.Ambiguous(d.silence.Err(), d.silence.Calls()...)
}
