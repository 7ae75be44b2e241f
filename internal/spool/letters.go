package spool

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// Letter is a dead letter: an event that failed for good at a destination, or of
// which nobody can tell whether it took effect, with what became of it; or a
// record that could not be read. The dead stream keeps them, one a line.
type Letter struct {
	// Report says what became of the event, and when. Of a record that could not be
	// read it says only why, and at which destination.
	Report delivery.Report `json:"report"`
	Body   json.RawMessage `json:"body,omitempty"`
	Record []byte          `json:"record,omitempty"`

	sequence uint64
}

// ID names the letter: the event's messageId, else the record's place.
func (l Letter) ID() string {
	return cmp.Or(l.Report.MessageID, fmt.Sprintf("record-%d", l.sequence))
}

// Sequence is the letter's place: those that were kept before it have no higher one.
func (l Letter) Sequence() uint64 { return l.sequence }

// Event returns the event that the letter is about, if it holds one.
func (l Letter) Event() (e event.Event, ok bool) {
	if l.Report.MessageID == "" || l.Body == nil {
		return event.Event{}, false
	}
	return event.Event{
		ID: l.Report.MessageID, Type: l.Report.Type, Source: l.Report.Source,
		ReceivedAt: l.Report.ReceivedAt, Body: l.Body,
	}, true
}

// bury keeps events that would always fail, all of one destination.
func (s *Spool) bury(ctx context.Context, letters []Letter, o ...jetstream.PublishOpt) error {
	if len(letters) == 0 {
		return nil
	}
	for i, l := range letters {
		if l.Body != nil && !json.Valid(l.Body) { // it would not encode; bytes always do
			letters[i].Body, letters[i].Record = nil, l.Body
		}
	}
	if err := publishLines(ctx, s, deadSubject+letters[0].Report.Destination, letters, o...); err != nil {
		return fmt.Errorf("keep dead letters: %w", err)
	}
	s.noteBuried(letters[0].Report.Destination, len(letters))
	return nil
}

// buryRecord keeps a record that cannot be read, byte for byte.
func (s *Spool) buryRecord(ctx context.Context, destination string, record []byte, why error, o ...jetstream.PublishOpt) error {
	return s.bury(ctx, []Letter{{
		Report: delivery.Report{
			Destination: destination,
			Status:      delivery.StatusDead,
			Reason:      delivery.ReasonUnreadable,
			Detail:      why.Error(),
			SettledAt:   s.clock.now().UTC(),
		},
		Record: record,
	}}, o...)
}

// Letters hands over the dead letters of all destinations, oldest first, until
// each returns an error, and returns that error.
func (s *Spool) Letters(ctx context.Context, each func(Letter) error) error {
	return s.eachRecord(ctx, deadStream, deadSubject+"*", 1, func(record *jetstream.RawStreamMsg) error {
		letters, err := readLetters(record)
		if err != nil {
			s.log.Error("a record of dead letters cannot be read; it is passed over", "sequence", record.Sequence, "error", err)
			return nil
		}
		for _, l := range letters {
			if err := each(l); err != nil {
				return err
			}
		}
		return nil
	})
}

// Retry queues the events of the letters that match to be sent again (Replay),
// and takes those letters away. A letter without an event stays. It returns how
// many letters that were. On ErrFull the rest has to be tried later.
func (s *Spool) Retry(ctx context.Context, match func(Letter) bool) (int, error) {
	return s.takeLetters(ctx, func(l Letter) bool {
		_, whole := l.Event()
		return whole && match(l)
	}, func(taken []Letter) error {
		again := make([]Again, len(taken))
		size := 0
		for i, l := range taken {
			again[i].Event, _ = l.Event()
			again[i].Attempts = l.Report.Attempts
			size += len(l.Body)
		}
		// All or none: what is queued must not keep its letter.
		if err := s.roomFor(ctx, taken[0].Report.Destination, size); err != nil {
			return err
		}
		_, err := s.Replay(ctx, taken[0].Report.Destination, 0, again...)
		return err
	})
}

// Drop deletes the letters that match, past recovery. It returns how many those
// were.
func (s *Spool) Drop(ctx context.Context, match func(Letter) bool) (int, error) {
	return s.takeLetters(ctx, match, func([]Letter) error { return nil })
}

// Forget deletes the dead letters about a person. What is queued to be sent to a
// destination is that destination's to accept or not.
func (s *Spool) Forget(ctx context.Context, match func(event.Event) bool) (int, error) {
	return s.Drop(ctx, func(l Letter) bool {
		e, whole := l.Event()
		return whole && match(e)
	})
}

// takeLetters takes letters away, record by record: what is done with them comes
// first, then the others of the record are kept anew, then the record goes. After
// a crash in between some are there twice.
func (s *Spool) takeLetters(ctx context.Context, match func(Letter) bool, use func([]Letter) error) (taken int, err error) {
	s.taking.Lock()
	defer s.taking.Unlock()
	dead, err := s.js.Stream(ctx, deadStream)
	if err != nil {
		return 0, fmt.Errorf("take dead letters: %w", err)
	}
	last := dead.CachedInfo().State.LastSeq // what is kept anew comes after it
	err = s.eachRecord(ctx, deadStream, deadSubject+"*", 1, func(record *jetstream.RawStreamMsg) error {
		if record.Sequence > last {
			return errDone
		}
		letters, err := readLetters(record)
		if err != nil {
			return nil
		}
		var out, rest []Letter
		for _, l := range letters {
			if match(l) {
				out = append(out, l)
				continue
			}
			rest = append(rest, l)
		}
		if len(out) == 0 {
			return nil
		}
		if err := use(out); err != nil {
			return err
		}
		if err := publishLines(ctx, s, record.Subject, rest); err != nil {
			return err
		}
		if err := dead.SecureDeleteMsg(ctx, record.Sequence); err != nil {
			return err
		}
		taken += len(out)
		return nil
	})
	if err != nil && !errors.Is(err, errDone) {
		return taken, fmt.Errorf("take dead letters: %w", err)
	}
	return taken, nil
}

// errDone ends a walk over records before their end.
var errDone = errors.New("done")

// readLetters reads the letters of a record.
func readLetters(record *jetstream.RawStreamMsg) ([]Letter, error) {
	letters, err := decodeLines[Letter](record.Data)
	for i := range letters {
		letters[i].sequence = record.Sequence
	}
	return letters, err
}
