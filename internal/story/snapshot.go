package story

import (
	"context"
	"sync"
	"time"
)

const (
	// snapshotPatience is how long whoever looks waits for a new answer, before
	// being shown the last one.
	snapshotPatience = 150 * time.Millisecond
	// snapshotTimeout bounds one question, so that it does not go on when nobody
	// can want its answer any more.
	snapshotTimeout = 5 * time.Minute
	// snapshotRest is how many times as long as a question took it is not asked
	// again: it takes at most a tenth of one connection, however many people look.
	snapshotRest = 9
)

// Snapshot is an answer that takes long to get, as it was some time ago.
type Snapshot[T any] struct {
	Value T
	// At is when it was asked for, zero if there is none yet.
	At time.Time
	// Pending says that a newer one is on its way.
	Pending bool
}

// snapshots ask a question that takes longer than a page may, one at a time, and
// only while somebody looks. The last answer is kept, with its age.
type snapshots[T any] struct {
	ask func(context.Context) (T, error)
	now func() time.Time
	// closing ends what is asked.
	closing context.Context

	mu      sync.Mutex
	since   time.Time // when the question on its way was asked
	last    T
	at      time.Time     // of the question that last answers
	took    time.Duration // of the latest question
	err     error         // of the latest question
	rested  time.Time     // until when none is asked
	running chan struct{} // closed when the question on its way is answered, nil without one
}

// get returns the last answer, or a newer one if it is time for that and it is not
// known to take longer than people wait.
func (s *snapshots[T]) get(ctx context.Context) (Snapshot[T], error) {
	s.mu.Lock()
	if s.running == nil && !s.now().Before(s.rested) {
		s.running, s.since = make(chan struct{}), s.now()
		go s.refresh()
	}
	running, left := s.running, snapshotPatience-s.now().Sub(s.since)
	if s.took > snapshotPatience {
		left = 0
	}
	s.mu.Unlock()
	if running != nil && left > 0 {
		patience := time.NewTimer(left)
		defer patience.Stop()
		select {
		case <-running:
		case <-patience.C:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return Snapshot[T]{s.last, s.at, s.running != nil}, s.err
}

// refresh asks, whoever is waiting for it or has gone.
func (s *snapshots[T]) refresh() {
	started := time.Now()
	at := s.now()
	ctx, cancel := context.WithTimeout(s.closing, snapshotTimeout)
	defer cancel()
	value, err := s.ask(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err = err; err == nil {
		s.last, s.at = value, at
	}
	s.took = time.Since(started)
	s.rested = s.now().Add(snapshotRest * s.took)
	close(s.running)
	s.running = nil
}
