package spool

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// trimEvery is how often settled records are looked over.
const trimEvery = time.Minute

// trimRegularly removes what is settled and old, and looks how fast the rest
// grows, until the spool closes.
func (s *Spool) trimRegularly() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := s.trim(ctx, s.settledAndOld); err != nil {
				s.log.Error("cannot trim the spool", "error", err)
			}
			if err := s.lookAhead(ctx); err != nil {
				s.log.Error("cannot tell when the spool will be full", "error", err)
			}
		case <-s.closing:
			return
		}
	}
}

// trim removes the events before the sequence that first says must be kept, the
// reports that are written, and what was sent again.
func (s *Spool) trim(ctx context.Context, first func(context.Context, jetstream.Stream) (uint64, error)) error {
	events, err := s.js.Stream(ctx, eventsStream)
	if err != nil {
		return fmt.Errorf("trim spool: %w", err)
	}
	keep, err := first(ctx, events)
	if err != nil {
		return fmt.Errorf("trim spool: %w", err)
	}
	if err := events.Purge(ctx, jetstream.WithPurgeSequence(keep)); err != nil {
		return fmt.Errorf("trim spool: %w", err)
	}
	reports, err := s.js.Stream(ctx, reportsStream)
	if err != nil {
		return fmt.Errorf("trim reports: %w", err)
	}
	if err := reports.Purge(ctx, jetstream.WithPurgeSequence(s.doneBy(reportsReader)+1)); err != nil {
		return fmt.Errorf("trim reports: %w", err)
	}
	for _, name := range s.o.Destinations {
		if err := s.trimReplays(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// trimReplays removes what was sent to a destination again.
func (s *Spool) trimReplays(ctx context.Context, destination string) error {
	f := replayFeed(destination)
	replays, err := s.js.Stream(ctx, f.stream)
	if err != nil {
		return fmt.Errorf("trim replays: %w", err)
	}
	if err := replays.Purge(ctx, jetstream.WithPurgeSequence(s.doneBy(f.reader)+1)); err != nil {
		return fmt.Errorf("trim replays: %w", err)
	}
	return nil
}

// settledOnly returns the first record that some destination has not settled.
func (s *Spool) settledOnly(ctx context.Context, events jetstream.Stream) (uint64, error) {
	info, err := events.Info(ctx)
	if err != nil {
		return 0, err
	}
	keep := info.State.LastSeq + 1
	for _, name := range s.o.Destinations {
		keep = min(keep, s.doneBy(name)+1)
	}
	return keep, nil
}

// settledAndOld returns the first record that is not settled everywhere, or is
// young enough to be replayed.
func (s *Spool) settledAndOld(ctx context.Context, events jetstream.Stream) (uint64, error) {
	keep, err := s.settledOnly(ctx, events)
	if err != nil {
		return 0, err
	}
	oldest := max(events.CachedInfo().State.FirstSeq, 1)
	if keep <= oldest {
		return keep, nil
	}
	return firstAfter(ctx, events, oldest, keep, time.Now().Add(-s.o.ReplayWindow))
}
