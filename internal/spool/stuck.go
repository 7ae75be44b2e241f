package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrStuck says that the embedded server does not write any more although the
// disk works: after a write or a sync has failed once it gives a stream up for
// good. Nothing is lost by opening the spool anew, and nothing else helps.
var ErrStuck = errors.New("the spool does not write any more and has to be opened anew")

const (
	watchEvery = time.Second
	// stuckAfter is how long writes to a stream must have failed, and none have
	// succeeded.
	stuckAfter = 3 * time.Second
)

// failure is that of writing to a stream.
type failure struct {
	since time.Time
	err   error
}

// noteWrite remembers how the last write to a stream went.
func (s *Spool) noteWrite(subject string, err error) {
	s.failuresMu.Lock()
	defer s.failuresMu.Unlock()
	if err == nil || isLimit(err) || errors.Is(err, context.Canceled) {
		delete(s.failures, subject)
		return
	}
	f, failing := s.failures[subject]
	if !failing {
		f.since = time.Now()
	}
	f.err = err
	s.failures[subject] = f
}

// isLimit says whether a stream took no more because it is as large as it may be.
func isLimit(err error) bool {
	return isFull(err) && strings.Contains(err.Error(), "maximum bytes exceeded")
}

// Watch returns ErrStuck when the spool has to be opened anew, and nil when ctx
// ends. An external cluster has its own operators: with one it only waits.
func (s *Spool) Watch(ctx context.Context) error {
	if s.server == nil {
		<-ctx.Done()
		return nil
	}
	for ctx.Err() == nil {
		sleep(ctx, watchEvery)
		if why := s.stuck(); why != nil && s.diskWorks() {
			// Nobody should wait for answers that do not come.
			s.door.Close()
			s.conn.Close()
			return fmt.Errorf("%w: %w", ErrStuck, why)
		}
	}
	return nil
}

// stuck returns why the server writes nothing to some stream, nil if it does.
func (s *Spool) stuck() error {
	s.failuresMu.Lock()
	defer s.failuresMu.Unlock()
	for _, f := range s.failures {
		if time.Since(f.since) >= stuckAfter {
			return f.err
		}
	}
	return nil
}

// diskWorks says whether the disk takes and syncs something now.
func (s *Spool) diskWorks() bool {
	path := filepath.Join(s.o.Dir, "probe")
	f, err := os.Create(path) //nolint:gosec // our own directory
	if err != nil {
		return false
	}
	defer func() { _ = os.Remove(path) }() // the next probe writes over it
	_, written := f.Write(make([]byte, 64<<10))
	return errors.Join(written, f.Sync(), f.Close()) == nil
}
