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

// eventsAt returns the events of one record, none if it is gone or damaged.
func (s *Spool) eventsAt(ctx context.Context, stream jetstream.Stream, seq uint64) ([]event.Event, error) {
	record, err := stream.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	events, err := unseal(record.Data)
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
			failed = err
			return true
		}
		return record.Time.After(t)
	})
	return low + uint64(n), failed
}
