package spool

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

const (
	// forecastWindow is the time by which "the present rate" goes, and
	// forecastLeast the least that says anything.
	forecastWindow = time.Hour
	forecastLeast  = 5 * time.Minute
	// forecastFar is beyond what is worth a word.
	forecastFar = 7 * 24 * time.Hour
	// forecastAgain is how often it is said again.
	forecastAgain = time.Hour
)

// forecast tells when the spool will be full. What is settled everywhere does not
// count: it goes when there is no room.
type forecast struct {
	mu      sync.Mutex
	samples []sample // one a minute, oldest first
	limit   int64
	behind  string // who is furthest behind
	saidAt  time.Time
}

// sample is how many bytes some destination had still to settle.
type sample struct {
	at    time.Time
	bytes int64
}

func (f *forecast) add(s sample, behind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.samples) > 0 && s.at.Sub(f.samples[0].at) > forecastWindow {
		f.samples = f.samples[1:]
	}
	f.samples, f.behind = append(f.samples, s), behind
}

// fullIn returns when the spool is full at the present rate, and the destination
// that is furthest behind. It is false while what waits does not grow.
func (f *forecast) fullIn() (left time.Duration, behind string, growing bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.samples) < 2 {
		return 0, "", false
	}
	first, last := f.samples[0], f.samples[len(f.samples)-1]
	span, grown := last.at.Sub(first.at), last.bytes-first.bytes
	if span < forecastLeast || grown <= 0 {
		return 0, "", false
	}
	seconds := float64(max(f.limit-last.bytes, 0)) / (float64(grown) / span.Seconds())
	if seconds > math.MaxInt64/float64(time.Second) {
		return 0, "", false
	}
	return time.Duration(seconds * float64(time.Second)), f.behind, true
}

// FullIn returns in what time the spool is full if what waits goes on to grow as
// in the last hour, and the destination that is furthest behind. It is false
// where that is not within a week.
func (s *Spool) FullIn() (left time.Duration, behind string, soon bool) {
	left, behind, growing := s.forecast.fullIn()
	return left, behind, growing && left < forecastFar
}

// lookAhead measures what waits, and says once an hour when the spool will be
// full.
func (s *Spool) lookAhead(ctx context.Context) error {
	events, err := s.js.Stream(ctx, eventsStream)
	if err != nil {
		return fmt.Errorf("measure the spool: %w", err)
	}
	state := events.CachedInfo().State
	first, behind := state.LastSeq+1, ""
	for _, name := range s.o.Destinations {
		if next := s.doneBy(name) + 1; next < first {
			first, behind = next, name
		}
	}
	// Records are alike enough: their exact size would have to be read.
	waiting := float64(state.LastSeq+1-max(first, state.FirstSeq)) / float64(max(state.Msgs, 1)) * float64(state.Bytes)
	now := s.clock.now()
	s.forecast.add(sample{now, int64(waiting)}, behind)
	left, behind, soon := s.FullIn()
	if !soon || now.Sub(s.forecast.saidAt) < forecastAgain {
		return nil
	}
	s.forecast.saidAt = now
	s.log.Warn("the spool fills up; at the present rate it is full in "+left.Round(time.Minute).String()+", and then calls are answered with 503",
		"behind", behind, "waiting_bytes", int64(waiting), "limit_bytes", s.o.MaxBytes)
	return nil
}
