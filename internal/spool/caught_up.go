package spool

import (
	"context"
	"fmt"
)

// CaughtUp says whether a destination is done with the events that were there
// when the spool was opened, apart from those in its retry lane, and whether the
// reports that were there then are written.
func (s *Spool) CaughtUp(destination string) bool {
	return s.doneBy(destination) >= s.opened[eventsStream] && s.doneBy(reportsReader) >= s.opened[reportsStream]
}

// noteOpened remembers what is in the streams at the start.
func (s *Spool) noteOpened(ctx context.Context) error {
	s.opened = make(map[string]uint64)
	for _, name := range []string{eventsStream, reportsStream} {
		stream, err := s.js.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("open stream %s: %w", name, err)
		}
		s.opened[name] = stream.CachedInfo().State.LastSeq
	}
	return nil
}
