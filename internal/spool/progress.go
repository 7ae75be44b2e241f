package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// progress says what a reader of a stream has done, as one record that replaces
// the one before it. It is synced like every record, so what it says is true
// after a crash.
type progress struct {
	// Next is the first record that is not done.
	Next uint64 `json:"next"`
	// Handled marks the events of records from Next on that are done all the
	// same, because what they share a record with is not.
	Handled map[uint64]bits `json:"handled,omitempty"`
	// Lane marks the settled events of records in the retry lane.
	Lane map[uint64]bits `json:"lane,omitempty"`
	// Doubts says, of events in the retry lane by record and place, until when it
	// is harmless to repeat a request that may have taken effect.
	Doubts map[uint64]map[int]time.Time `json:"doubts,omitempty"`
}

// handle marks an event of a record that is not done as done.
func (p *progress) handle(o origin) {
	if o.seq < p.Next {
		return
	}
	if p.Handled == nil {
		p.Handled = make(map[uint64]bits)
	}
	b := p.Handled[o.seq]
	b.set(o.index)
	p.Handled[o.seq] = b
}

// bits is a set of small numbers.
type bits []byte

func (b bits) has(i int) bool { return i/8 < len(b) && b[i/8]&(1<<(i%8)) != 0 }

func (b *bits) set(i int) {
	for len(*b) <= i/8 {
		*b = append(*b, 0)
	}
	(*b)[i/8] |= 1 << (i % 8)
}

// loadProgress reads where a reader was. One that is new begins with the next
// record of the stream.
func (s *Spool) loadProgress(ctx context.Context, stream, reader string) (progress, error) {
	p, err := s.readProgress(ctx, reader)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		st, err := s.js.Stream(ctx, stream)
		if err != nil {
			return progress{}, fmt.Errorf("open cursor %s: %w", reader, err)
		}
		p := progress{Next: st.CachedInfo().State.LastSeq + 1}
		return p, s.saveProgress(ctx, reader, p)
	}
	if err != nil {
		return progress{}, fmt.Errorf("open cursor %s: %w", reader, err)
	}
	s.noteDone(reader, p.Next-1)
	return p, nil
}

// readProgress returns what is written down of a reader.
func (s *Spool) readProgress(ctx context.Context, reader string) (p progress, err error) {
	cursors, err := s.js.Stream(ctx, cursorsStream)
	if err != nil {
		return progress{}, err
	}
	record, err := cursors.GetLastMsgForSubject(ctx, cursorsSubject+reader)
	if err != nil {
		return progress{}, err
	}
	return p, json.Unmarshal(record.Data, &p)
}

func (s *Spool) saveProgress(ctx context.Context, reader string, p progress) error {
	record, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode cursor %s: %w", reader, err)
	}
	if err := s.publish(ctx, cursorsSubject+reader, record); err != nil {
		return fmt.Errorf("write cursor %s: %w", reader, err)
	}
	s.noteDone(reader, p.Next-1)
	return nil
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
