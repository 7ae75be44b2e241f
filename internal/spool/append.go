package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/verobridge/verobridge/internal/event"
)

const (
	// committers is how many records may be on their way to the disk: while one
	// is being synced, the next is joined and compressed.
	committers = 2
	// maxRecord bounds the framed events that are joined into one record. One
	// event that is larger makes a record of its own.
	maxRecord = 1 << 20
	// publishTimeout bounds one record's way to the disk or to a quorum.
	publishTimeout = 5 * time.Second
)

// pending is one Append that waits for its record.
type pending struct {
	// records holds the framed events, in parts of at most maxRecord.
	records [][]byte
	events  int
	done    chan error
}

// Append keeps events durably, together and in this order. When it returns nil
// they are synced to disk, or held by a quorum of the cluster. On an error,
// ErrFull among them, the caller must not promise anything; after a timeout
// the events may be there all the same, so a repeated Append must use the same
// ids.
func (s *Spool) Append(ctx context.Context, events ...event.Event) error {
	if len(events) == 0 {
		return nil
	}
	started := time.Now()
	p := &pending{records: frameAll(events), events: len(events), done: make(chan error, 1)}
	select {
	case s.queue <- p:
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("append to spool: %w", ctx.Err())
	}
	select {
	case err := <-p.done:
		s.metrics.appended(len(events), time.Since(started), err)
		if err != nil {
			s.refused.Add(1)
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("append to spool: %w", ctx.Err())
	}
}

// frameOverhead is about what a frame has besides the body of its event.
const frameOverhead = 128

func frameAll(events []event.Event) [][]byte {
	size := 0
	for _, e := range events {
		size += len(e.Body) + frameOverhead
	}
	records := [][]byte{make([]byte, 0, min(size, maxRecord))}
	for _, e := range events {
		last := len(records) - 1
		if len(records[last]) > 0 && len(records[last])+len(e.Body) > maxRecord {
			records = append(records, nil)
			last++
		}
		records[last] = frame(records[last], e)
	}
	return records
}

// commit writes what Appends hand in until the spool closes.
func (s *Spool) commit() {
	for {
		select {
		case p := <-s.queue:
			s.write(s.join(p))
		case <-s.closing:
			return
		}
	}
}

// join takes in whoever else is waiting, up to the size of a record.
func (s *Spool) join(first *pending) []*pending {
	group := []*pending{first}
	if len(first.records) > 1 {
		return group
	}
	for size := len(first.records[0]); size < maxRecord; {
		select {
		case p := <-s.queue:
			group = append(group, p)
			if len(p.records) > 1 {
				return group
			}
			size += len(p.records[0])
		default:
			return group
		}
	}
	return group
}

func (s *Spool) write(group []*pending) {
	ctx, cancel := context.WithTimeout(context.Background(), publishTimeout)
	defer cancel()
	var joined []byte
	for _, p := range group {
		for i, record := range p.records {
			if i > 0 {
				if err := s.publishEvents(ctx, joined); err != nil {
					finish(group, err)
					return
				}
				joined = nil
			}
			joined = append(joined, record...)
		}
	}
	finish(group, s.publishEvents(ctx, joined))
}

func finish(group []*pending, err error) {
	for _, p := range group {
		p.done <- err
	}
}

// publishEvents writes one record of framed events, making room first if that
// is what it takes.
func (s *Spool) publishEvents(ctx context.Context, frames []byte) error {
	record := seal(frames)
	_, err := s.appends.Publish(ctx, eventsSubject, record)
	if isFull(err) {
		if trimErr := s.trim(ctx, s.settledOnly); trimErr != nil {
			s.log.Error("cannot trim a full spool", "error", trimErr)
		}
		_, err = s.appends.Publish(ctx, eventsSubject, record)
	}
	s.broken.Store(err != nil)
	s.noteWrite(eventsSubject, err)
	switch {
	case isFull(err):
		return fmt.Errorf("append to spool: %w", ErrFull)
	case err != nil:
		return fmt.Errorf("append to spool: %w", err)
	default:
		s.metrics.records.Inc()
		return nil
	}
}

func (s *Spool) publish(ctx context.Context, subject string, record []byte, o ...jetstream.PublishOpt) error {
	_, err := s.publishMsg(ctx, &nats.Msg{Subject: subject, Data: record}, o...)
	return err
}

func (s *Spool) publishMsg(ctx context.Context, m *nats.Msg, o ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	ack, err := s.js.PublishMsg(ctx, m, o...)
	s.noteWrite(m.Subject, err)
	return ack, err
}

// The codes of JetStream's errors for a stream, an account or a disk that takes
// no more (nats-server, server/errors.json).
const (
	codeInsufficientResources = 10023
	codeStorageExceeded       = 10047
	codeStoreFailed           = 10077
)

func isFull(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode {
	case codeInsufficientResources, codeStorageExceeded, codeStoreFailed:
		return true
	default:
		return false
	}
}
