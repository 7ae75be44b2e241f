package spool

import (
	"context"
	"fmt"
)

// CaughtUp says whether a destination is done with the events that were there
// when this program began to deliver, apart from those in its retry lane, and
// whether the reports that were there then are written. It begins when the spool
// is opened, and with each destination that it takes over from another bridge.
func (s *Spool) CaughtUp(destination string) bool {
	s.doneMu.Lock()
	defer s.doneMu.Unlock()
	return s.done[destination] >= s.opened[eventsStream] && s.done[reportsReader] >= s.opened[reportsStream]
}

// noteOpened remembers what is in the streams at the start.
func (s *Spool) noteOpened(ctx context.Context) error {
	for _, name := range []string{eventsStream, reportsStream} {
		end, err := s.endOf(ctx, name)
		if err != nil {
			return fmt.Errorf("open stream %s: %w", name, err)
		}
		s.doneMu.Lock()
		s.opened[name] = end
		s.doneMu.Unlock()
	}
	return nil
}
