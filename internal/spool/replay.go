package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// headerReplay holds what is to be known of the events of a record in a replay
// stream beside the events: a JSON value of type replayed.
const headerReplay = "Replay"

type replayed struct {
	Rate float64 `json:"rate,omitempty"` // events a second, 0 for the default
	// Attempts counts, for each event, those before.
	Attempts []int `json:"attempts"`
}

// readReplayed reads the header of a record of n events. One that came in has
// none.
func readReplayed(h nats.Header, n int) replayed {
	var r replayed
	if err := json.Unmarshal([]byte(h.Get(headerReplay)), &r); err != nil || len(r.Attempts) != n {
		r.Attempts = make([]int, n)
	}
	return r
}

// Again is an event that is to be sent to a destination again.
type Again struct {
	Event event.Event
	// Attempts counts those before.
	Attempts int
}

// Replay queues events to be sent to a destination again, in this order. They
// keep their identity, and go out while nothing new is to be sent, at most rate
// a second (0 for the destination's default). Those that are queued already are
// left as they are. It returns how many, from the first on, are queued, durably:
// all of them, unless there is an error. On ErrFull there is no room until some
// are sent, and the others have to be tried later.
func (s *Spool) Replay(ctx context.Context, destination string, rate float64, events ...Again) (n int, err error) {
	s.replaying.Lock()
	defer s.replaying.Unlock()
	there, err := s.queued(ctx, destination)
	if err != nil {
		return 0, fmt.Errorf("replay to %s: %w", destination, err)
	}
	for n < len(events) {
		var r replayRecord
		end := n
		for ; end < len(events) && r.takes(events[end]); end++ {
			if key := keyOf(events[end].Event); !there[key] {
				there[key] = true
				r.add(events[end])
			}
		}
		if err := s.publishReplay(ctx, destination, rate, r); err != nil {
			return n, fmt.Errorf("replay to %s: %w", destination, err)
		}
		n = end
	}
	return n, nil
}

// replayRecord is a record on its way to a replay stream.
type replayRecord struct {
	frames []byte
	events []Again
}

func (r *replayRecord) takes(a Again) bool {
	return len(r.events) == 0 || len(r.events) < maxGroup && len(r.frames)+len(a.Event.Body) <= maxRecord
}

func (r *replayRecord) add(a Again) {
	r.frames = frame(r.frames, a.Event)
	r.events = append(r.events, a)
}

// publishReplay queues a record, and reports that its events wait.
func (s *Spool) publishReplay(ctx context.Context, destination string, rate float64, r replayRecord) error {
	if len(r.events) == 0 {
		return nil
	}
	header := replayed{Rate: rate}
	var reports []delivery.Report
	outcome := delivery.NotTried(delivery.ReasonReplayed)
	for _, a := range r.events {
		header.Attempts = append(header.Attempts, a.Attempts)
		reports = append(reports, delivery.ReportOf(a.Event, destination, outcome, a.Attempts, s.clock.now()))
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	record := seal(r.frames)
	if err := s.roomFor(ctx, destination, len(record)); err != nil {
		return err
	}
	// The report comes first, so that it does not overtake the one of what becomes
	// of the event then.
	if err := s.report(ctx, reports); err != nil {
		return err
	}
	_, err = s.publishMsg(ctx, &nats.Msg{
		Subject: replaySubject + destination,
		Header:  nats.Header{headerReplay: {string(text)}},
		Data:    record,
	})
	return err
}

// roomFor makes sure that a replay stream takes some more bytes.
func (s *Spool) roomFor(ctx context.Context, destination string, size int) error {
	const overhead = 4 << 10 // the header and what the store adds
	if err := s.trimReplays(ctx, destination); err != nil {
		return err
	}
	stream, err := s.js.Stream(ctx, replayFeed(destination).stream)
	if err != nil {
		return err
	}
	info := stream.CachedInfo()
	if info.State.Bytes+uint64(size+overhead) > uint64(info.Config.MaxBytes) {
		return ErrFull
	}
	return nil
}

// Queued returns how many events wait to be sent to a destination again.
func (s *Spool) Queued(ctx context.Context, destination string) (int, error) {
	there, err := s.queued(ctx, destination)
	if err != nil {
		return 0, fmt.Errorf("count replays to %s: %w", destination, err)
	}
	return len(there), nil
}

// queued returns the keys of the events that wait to be sent to a destination
// again: in the replay stream from where its drain is, and in its retry lane.
func (s *Spool) queued(ctx context.Context, destination string) (map[string]bool, error) {
	f := replayFeed(destination)
	p, err := s.readProgress(ctx, f.reader)
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool)
	for _, part := range []struct {
		stream, subject string
		next            uint64
		done            map[uint64]bits
	}{
		{f.stream, replaySubject + destination, p.Next, p.Handled},
		{retryStream, retrySubject + f.reader, 1, p.Lane},
	} {
		err := s.eachRecord(ctx, part.stream, part.subject, part.next, func(record *jetstream.RawStreamMsg) error {
			events, err := Unseal(record.Data)
			if err != nil {
				return nil // it is found, and told, where it is read to be sent
			}
			for i, e := range events {
				if !part.done[record.Sequence].has(i) {
					there[keyOf(e)] = true
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return there, nil
}

// eachRecord hands over the records of a subject from a sequence on.
func (s *Spool) eachRecord(ctx context.Context, stream, subject string, next uint64, each func(*jetstream.RawStreamMsg) error) error {
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	for seq := max(next, 1); ; seq++ {
		record, err := st.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := each(record); err != nil {
			return err
		}
		seq = record.Sequence
	}
}
