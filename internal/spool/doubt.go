package spool

import (
	"errors"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// An event is in doubt when a request of it went out and nothing came back. It
// may have taken effect, and to repeat it is harmless for a while only. Until
// then the lane repeats it, whatever becomes of the destination as a whole; a
// later attempt that clearly fails does not take the doubt away. Then it is
// ambiguous, and for people to decide.

var errForgotten = errors.New("a request went out before the last start, and no answer came")

// ambiguous is the verdict on an event that it is too late to repeat.
func ambiguous(e *entry) delivery.Outcome {
	if !e.silence.Valid() {
		return delivery.Ambiguous(errForgotten)
	}
	return delivery.Ambiguous(e.silence.Err(), e.silence.Calls()...)
}

// nextTry returns when an event is tried again that failed in a passing way for
// the nth time. One in doubt has another try before that is too late: where the
// backoff would pass over the end, it is half of the time that is left.
func (b Backoff) nextTry(now time.Time, attempts int, o delivery.Outcome, doubt time.Time) time.Time {
	due := now.Add(max(o.After(), b.wait(attempts)))
	if doubt.IsZero() || due.Before(doubt) {
		return due
	}
	if half := doubt.Sub(now) / 2; half >= max(o.After(), b.Min) {
		return now.Add(half)
	}
	return doubt
}

// listDoubts lists the entries in doubt for the record of progress.
func (l *lane) listDoubts() map[uint64]map[int]time.Time {
	list := make(map[uint64]map[int]time.Time)
	for e := range l.doubts {
		if list[e.group.seq] == nil {
			list[e.group.seq] = make(map[int]time.Time)
		}
		list[e.group.seq][e.index] = e.doubt.UTC()
	}
	return list
}
