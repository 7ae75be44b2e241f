package spool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/verobridge/verobridge/internal/event"
)

// Latest returns the events that came last and match, at most n, oldest first.
// It looks back as far as the spool keeps them.
func (s *Spool) Latest(ctx context.Context, n int, match func(event.Event) bool) ([]event.Event, error) {
	stream, err := s.js.Stream(ctx, eventsStream)
	if err != nil {
		return nil, fmt.Errorf("read latest events: %w", err)
	}
	state := stream.CachedInfo().State
	var latest []event.Event
	for seq := state.LastSeq; seq >= max(state.FirstSeq, 1) && len(latest) < n; seq-- {
		events, err := s.eventsAt(ctx, stream, seq)
		if err != nil {
			return nil, fmt.Errorf("read latest events: %w", err)
		}
		for _, e := range slices.Backward(events) {
			if len(latest) < n && match(e) {
				latest = append(latest, e)
			}
		}
	}
	slices.Reverse(latest)
	return latest, nil
}

// slack is how much later than its arrival an event may be written.
const slack = time.Minute

// History hands over the events that were received from one time on and before
// another, as far as the spool keeps them, oldest first. settled says that the
// destination is done with the event's record: nothing more happens to it there
// by itself, unless it waits in the retry lane. An error of each ends it and is
// returned.
func (s *Spool) History(ctx context.Context, destination string, from, to time.Time, each func(e event.Event, settled bool) error) error {
	done := s.doneBy(destination)
	stream, err := s.js.Stream(ctx, eventsStream)
	if err != nil {
		return fmt.Errorf("read history: %w", err)
	}
	state := stream.CachedInfo().State
	seq, err := firstAfter(ctx, stream, max(state.FirstSeq, 1), state.LastSeq+1, from.Add(-slack))
	if err != nil {
		return fmt.Errorf("read history: %w", err)
	}
	end, err := firstAfter(ctx, stream, seq, state.LastSeq+1, to.Add(slack))
	if err != nil {
		return fmt.Errorf("read history: %w", err)
	}
	for ; seq < end; seq++ {
		events, err := s.eventsAt(ctx, stream, seq)
		if err != nil {
			return fmt.Errorf("read history: %w", err)
		}
		for _, e := range events {
			if e.ReceivedAt.Before(from) || !e.ReceivedAt.Before(to) {
				continue
			}
			if err := each(e, seq <= done); err != nil {
				return err
			}
		}
	}
	return nil
}

// KeptSince returns since when the spool keeps all events: when the oldest of
// its records was written, or now if it has none.
func (s *Spool) KeptSince(ctx context.Context) (time.Time, error) {
	stream, err := s.js.Stream(ctx, eventsStream)
	if err != nil {
		return time.Time{}, fmt.Errorf("look at the oldest events: %w", err)
	}
	if state := stream.CachedInfo().State; state.Msgs > 0 {
		return state.FirstTime.UTC(), nil
	}
	return s.clock.now().UTC(), nil
}

// eventsAt returns the events of one record, none if it is gone or damaged.
func (s *Spool) eventsAt(ctx context.Context, stream jetstream.Stream, seq uint64) ([]event.Event, error) {
	record, err := stream.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	events, err := Unseal(record.Data)
	if err != nil {
		s.log.Error("a record cannot be read; it is passed over", "sequence", seq, "error", err)
		return nil, nil
	}
	return events, nil
}

// firstAfter returns the first of the records from low to high-1 that was
// written after t, high if none was.
func firstAfter(ctx context.Context, stream jetstream.Stream, low, high uint64, t time.Time) (uint64, error) {
	if low >= high {
		return low, nil
	}
	var failed error
	n := sort.Search(int(high-low), func(i int) bool {
		record, err := stream.GetMsg(ctx, low+uint64(i))
		if err != nil {
			if !errors.Is(err, jetstream.ErrMsgNotFound) {
				failed = err
			}
			return true
		}
		return record.Time.After(t)
	})
	return low + uint64(n), failed
}
