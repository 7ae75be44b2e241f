package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// copyEvery is how often progress is written a second time, to a stream of its
// own. Where the first is damaged on disk a reader repeats what it did since
// then, instead of everything or, worse, nothing.
const copyEvery = 5 * time.Second

// keepRecords is after how many records of what a reader has done all but the
// last are deleted. The server could keep one by itself, but with that limit it
// never ends to start on a damaged file (nats-server 2.15.2).
const keepRecords = 256

// cursorStreams hold what readers have done.
var cursorStreams = []struct{ name, subject string }{
	{cursorsStream, cursorsSubject},
	{copiesStream, copiesSubject},
}

// beginProgress reads where a reader was. One that is new begins with the next
// record of the stream.
func (s *Spool) beginProgress(ctx context.Context, stream, reader string) (progress, error) {
	end, err := s.endOf(ctx, stream)
	if err != nil {
		return progress{}, fmt.Errorf("open cursor %s: %w", reader, err)
	}
	p, err := s.readProgress(ctx, reader)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		var first []jetstream.PublishOpt
		if s.fleet != nil {
			first = append(first, jetstream.WithExpectLastSequencePerSubject(0))
		}
		p = progress{Next: end + 1}
		if err = s.saveProgress(ctx, reader, p, first...); isRefused(err) { // by another bridge
			p, err = s.readProgress(ctx, reader)
		}
	}
	if err != nil {
		return progress{}, fmt.Errorf("open cursor %s: %w", reader, err)
	}
	s.noteDone(reader, p.Next-1)
	return p, nil
}

// lostQuorum is more than a server of a cluster takes to notice that it is cut off
// from the others, and that what it knows may be from the past (nats-server: 10 s).
const lostQuorum = 15 * time.Second

// loadProgress reads where a reader was, and makes sure that its stream goes on
// from there.
func (s *Spool) loadProgress(ctx context.Context, stream, reader string) (progress, error) {
	p, err := s.beginProgress(ctx, stream, reader)
	if err != nil {
		return progress{}, err
	}
	end, err := s.endOf(ctx, stream)
	for since := time.Now(); err == nil && p.Next > end+1 && s.fleet != nil && time.Since(since) < lostQuorum && ctx.Err() == nil; {
		sleep(ctx, time.Second)
		end, err = s.endOf(ctx, stream)
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		return progress{}, fmt.Errorf("open cursor %s: %w", reader, err)
	}
	if p.Next > end+1 {
		// The numbers from here on will stand for other records than those that
		// the reader is done with. That has to be written down before there is one.
		s.log.Error("the end of a stream is lost, its file is damaged", "stream", stream, "reader", reader, "first", end+1, "last", p.Next-1)
		p.Next, p.Handled = end+1, nil
		return p, s.saveProgress(ctx, reader, p)
	}
	return p, nil
}

// endOf returns the sequence of the last record of a stream.
func (s *Spool) endOf(ctx context.Context, stream string) (uint64, error) {
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return 0, err
	}
	return st.CachedInfo().State.LastSeq, nil
}

// readProgress returns what is written down of a reader, or its copy where that
// cannot be read.
func (s *Spool) readProgress(ctx context.Context, reader string) (progress, error) {
	p, err := s.readProgressIn(ctx, cursorsStream, cursorsSubject+reader)
	if err == nil || isPassing(err) {
		return p, err
	}
	older, problem := s.readProgressIn(ctx, copiesStream, copiesSubject+reader)
	if problem != nil {
		return progress{}, err
	}
	s.log.Error("what a reader has done is damaged on disk; it begins with an older copy, and repeats what it did since", "reader", reader, "error", err)
	return older, nil
}

// isPassing says whether a read may succeed the next time.
func isPassing(err error) bool {
	var answer *jetstream.APIError
	damaged := errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, errProgress) ||
		errors.As(err, &answer) && answer.Code < 503
	return !damaged
}

// errProgress says that what is written down of a reader makes no sense.
var errProgress = errors.New("the record of a reader cannot be read")

func (s *Spool) readProgressIn(ctx context.Context, stream, subject string) (p progress, err error) {
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return progress{}, err
	}
	record, err := st.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return progress{}, err
	}
	if err := json.Unmarshal(record.Data, &p); err != nil {
		return progress{}, fmt.Errorf("%w: %w", errProgress, err)
	}
	return p, nil
}

func (s *Spool) saveProgress(ctx context.Context, reader string, p progress, o ...jetstream.PublishOpt) error {
	if err := s.publishProgress(ctx, cursorsSubject+reader, p, o...); err != nil {
		return err
	}
	if s.copyIsDue(reader) {
		if err := s.publishProgress(ctx, copiesSubject+reader, p); err != nil {
			return err
		}
	}
	s.noteDone(reader, p.Next-1)
	return s.forgetOlder(ctx, reader)
}

// forgetOlder deletes now and then what a reader had done before.
func (s *Spool) forgetOlder(ctx context.Context, reader string) error {
	s.doneMu.Lock()
	s.saves[reader]++
	due := s.saves[reader]%keepRecords == 0
	s.doneMu.Unlock()
	if !due {
		return nil
	}
	for _, c := range cursorStreams {
		stream, err := s.js.Stream(ctx, c.name)
		if err == nil {
			err = stream.Purge(ctx, jetstream.WithPurgeSubject(c.subject+reader), jetstream.WithPurgeKeep(1))
		}
		if err != nil {
			return fmt.Errorf("forget older progress of %s: %w", reader, err)
		}
	}
	return nil
}

func (s *Spool) publishProgress(ctx context.Context, subject string, p progress, o ...jetstream.PublishOpt) error {
	record, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode %s: %w", subject, err)
	}
	if err := s.publish(ctx, subject, record, o...); err != nil {
		return fmt.Errorf("write %s: %w", subject, err)
	}
	return nil
}

// copyAll writes what all readers have done a second time.
func (s *Spool) copyAll(ctx context.Context) error {
	s.doneMu.Lock()
	readers := slices.Collect(maps.Keys(s.done))
	s.doneMu.Unlock()
	for _, reader := range readers {
		p, err := s.readProgress(ctx, reader)
		if err != nil {
			return fmt.Errorf("copy cursor %s: %w", reader, err)
		}
		if err := s.publishProgress(ctx, copiesSubject+reader, p); err != nil {
			return err
		}
	}
	return nil
}

// copyIsDue says whether a reader's progress is to be written twice this time.
func (s *Spool) copyIsDue(reader string) bool {
	s.doneMu.Lock()
	defer s.doneMu.Unlock()
	due := time.Since(s.copied[reader]) >= copyEvery
	if due {
		s.copied[reader] = time.Now()
	}
	return due
}

// noteDone remembers up to which record a reader is done, for trimming.
func (s *Spool) noteDone(reader string, seq uint64) {
	s.doneMu.Lock()
	defer s.doneMu.Unlock()
	s.done[reader] = seq
}

// doneBy returns the record up to which a reader is done.
func (s *Spool) doneBy(reader string) uint64 {
	s.doneMu.Lock()
	defer s.doneMu.Unlock()
	return s.done[reader]
}
