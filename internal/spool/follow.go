package spool

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// What a Follower reads of a stream at once. Whoever looks on gets what fits, and
// what flows is never held up.
const (
	followRecords = 32
	followBytes   = 64 << 10
)

// Follower looks on while events come in, and reads on from where it was. It keeps
// nothing on the server, and skips what is too much.
type Follower struct {
	spool           *Spool
	events, reports uint64 // the last records that it has seen
}

// Follow returns a Follower that begins with what comes next.
func (s *Spool) Follow(ctx context.Context) (*Follower, error) {
	f := &Follower{spool: s}
	for stream, last := range map[string]*uint64{eventsStream: &f.events, reportsStream: &f.reports} {
		found, err := s.js.Stream(ctx, stream)
		if err != nil {
			return nil, fmt.Errorf("follow the spool: %w", err)
		}
		*last = found.CachedInfo().State.LastSeq
	}
	return f, nil
}

// Next returns the events that were accepted since the last time, what became of
// events since then, and how many records of either it left out, each of one or
// more, because more came than it may read at once.
func (f *Follower) Next(ctx context.Context) (events []event.Event, reports []delivery.Report, skipped int, err error) {
	missed, err := f.read(ctx, eventsStream, &f.events, func(record []byte) error {
		some, err := Unseal(record)
		events = append(events, some...)
		return err
	})
	if err != nil {
		return nil, nil, 0, fmt.Errorf("follow events: %w", err)
	}
	skipped += missed
	missed, err = f.read(ctx, reportsStream, &f.reports, func(record []byte) error {
		some, err := decodeLines[delivery.Report](record)
		reports = append(reports, some...)
		return err
	})
	if err != nil {
		return nil, nil, 0, fmt.Errorf("follow delivery reports: %w", err)
	}
	return events, reports, skipped + missed, nil
}

// read hands over the records of a stream after the last one that was seen, as far
// as they fit. What is damaged counts as skipped: whoever needs it says so.
func (f *Follower) read(ctx context.Context, name string, seen *uint64, decode func([]byte) error) (skipped int, err error) {
	stream, err := f.spool.js.Stream(ctx, name)
	if err != nil {
		return 0, err
	}
	state := stream.CachedInfo().State
	if state.LastSeq < *seen { // the stream was made anew
		*seen = state.LastSeq
	}
	for size, n := 0, 0; *seen < state.LastSeq; n++ {
		if n == followRecords || size > followBytes {
			skipped += int(state.LastSeq - *seen)
			*seen = state.LastSeq
			break
		}
		record, err := stream.GetMsg(ctx, *seen+1)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			*seen++
			continue
		}
		if err != nil {
			return skipped, err
		}
		*seen++
		size += len(record.Data)
		if decode(record.Data) != nil {
			skipped++
		}
	}
	return skipped, nil
}
