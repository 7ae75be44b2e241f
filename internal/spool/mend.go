package spool

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// mendCursors makes the streams anew that hold what readers have done, if a
// record in one is damaged: the server would stumble over it when the next one
// is to replace it. What can be read in one of them is in both afterwards.
func (s *Spool) mendCursors(ctx context.Context) error {
	readers := make(map[string]bool)
	damaged := false
	for _, c := range cursorStreams {
		stream, err := s.js.Stream(ctx, c.name)
		if err != nil {
			return err
		}
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(">"))
		if err != nil {
			return err
		}
		for subject := range info.State.Subjects {
			readers[subject[len(c.subject):]] = true
			_, err := s.readProgressIn(ctx, c.name, subject)
			if err != nil && isPassing(err) {
				return err
			}
			damaged = damaged || err != nil
		}
	}
	if !damaged {
		return nil
	}
	known := make(map[string]progress)
	for reader := range readers {
		p, err := s.readProgress(ctx, reader)
		if err != nil {
			s.log.Error("what a reader has done is lost, its file is damaged; it begins with the next record", "reader", reader, "error", err)
			continue
		}
		known[reader] = p
	}
	for _, c := range cursorStreams {
		if err := s.js.DeleteStream(ctx, c.name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("make stream %s anew: %w", c.name, err)
		}
		if err := s.makeStreams(ctx); err != nil {
			return err
		}
		for reader, p := range known {
			if err := s.publishProgress(ctx, c.subject+reader, p); err != nil {
				return err
			}
		}
	}
	return nil
}
