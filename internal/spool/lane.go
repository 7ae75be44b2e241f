package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// The headers of a record in the retry stream. Its data is a record with one
// event.
const (
	headerAttempts = "Attempts"
	headerSince    = "Since"
)

// lane holds the events of one destination that must be tried again, oldest
// first. The stream keeps the events; memory keeps when each is due and whose
// it is. An event is ready when it is due and no older one shares a person with
// it.
//
//	seq   people     due
//	 7    ann        10:00:08   ← waits for its time
//	 9    bob        10:00:02   ← ready at 10:00:02
//	12    ann        at once    ← waits behind 7
type lane struct {
	spool   *Spool
	stream  jetstream.Stream
	subject string
	entries []*entry          // by seq
	events  map[string]*entry // by source and messageId
	people  map[string]int    // how many entries each person has
}

type entry struct {
	seq      uint64
	event    string // its key in events
	people   []string
	due      time.Time
	attempts int
}

// openLane reads what the lane of a destination held when the program stopped.
// All of it is due at once.
func (s *Spool) openLane(ctx context.Context, destination string) (*lane, error) {
	stream, err := s.js.Stream(ctx, retryStream)
	if err != nil {
		return nil, fmt.Errorf("open retry lane: %w", err)
	}
	l := &lane{
		spool:   s,
		stream:  stream,
		subject: retrySubject + destination,
		events:  make(map[string]*entry),
		people:  make(map[string]int),
	}
	for seq := uint64(1); ; seq++ {
		record, err := stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(l.subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return l, nil
		}
		if err != nil {
			return nil, fmt.Errorf("open retry lane: %w", err)
		}
		seq = record.Sequence
		it, err := laneItem(record)
		if err == nil {
			l.add(&entry{seq: seq, event: key(it.event), people: it.event.People(), attempts: it.attempts})
			continue
		}
		s.log.Error("a record of the retry lane cannot be read; it is kept as a dead letter", "destination", destination, "error", err)
		if err := s.buryRecord(ctx, destination, record.Data, err); err != nil {
			return nil, err
		}
		if err := stream.DeleteMsg(ctx, seq); err != nil {
			return nil, fmt.Errorf("open retry lane: %w", err)
		}
	}
}

func key(e event.Event) string { return e.Source + "\x00" + e.ID }

func laneItem(record *jetstream.RawStreamMsg) (item, error) {
	events, err := unseal(record.Data)
	if err != nil {
		return item{}, err
	}
	if len(events) != 1 {
		return item{}, errRecord
	}
	attempts, err := strconv.Atoi(record.Header.Get(headerAttempts))
	if err != nil {
		return item{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	since, err := time.Parse(time.RFC3339Nano, record.Header.Get(headerSince))
	if err != nil {
		return item{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	return item{event: events[0], attempts: attempts, since: since, lane: record.Sequence}, nil
}

// retry lets an event wait for its next attempt. A fresh one is put at the end
// of the lane; one that is there already keeps its place, also if it comes as
// a fresh one again, after a crash for example.
func (l *lane) retry(ctx context.Context, it item, attempts int, o delivery.Outcome, now time.Time) error {
	due := now
	if o.Tried() {
		due = now.Add(max(o.After(), l.spool.o.Retry.wait(attempts)))
	}
	if e, there := l.events[key(it.event)]; there {
		e.due, e.attempts = due, attempts
		return nil
	}
	ack, err := l.spool.js.PublishMsg(ctx, &nats.Msg{
		Subject: l.subject,
		Header: nats.Header{
			headerAttempts: {strconv.Itoa(attempts)},
			headerSince:    {now.UTC().Format(time.RFC3339Nano)},
		},
		Data: seal(frame(nil, it.event)),
	})
	if err != nil {
		return fmt.Errorf("write to retry lane: %w", err)
	}
	l.add(&entry{seq: ack.Sequence, event: key(it.event), people: it.event.People(), due: due, attempts: attempts})
	return nil
}

func (l *lane) add(e *entry) {
	l.entries = append(l.entries, e)
	l.events[e.event] = e
	for _, id := range e.people {
		l.people[id]++
	}
}

// remove takes a settled event off the lane.
func (l *lane) remove(ctx context.Context, seq uint64) error {
	if err := l.stream.DeleteMsg(ctx, seq); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("take off retry lane: %w", err)
	}
	l.forget(seq)
	return nil
}

// forget takes an entry out of the index.
func (l *lane) forget(seq uint64) {
	i, found := slices.BinarySearchFunc(l.entries, seq, func(e *entry, seq uint64) int { return cmp.Compare(e.seq, seq) })
	if !found {
		return
	}
	e := l.entries[i]
	l.entries = slices.Delete(l.entries, i, i+1)
	delete(l.events, e.event)
	for _, id := range e.people {
		if l.people[id]--; l.people[id] == 0 {
			delete(l.people, id)
		}
	}
}

func (l *lane) empty() bool { return len(l.entries) == 0 }

// blocks says whether one of these people has an event in the lane.
func (l *lane) blocks(people []string) bool {
	for _, id := range people {
		if l.people[id] > 0 {
			return true
		}
	}
	return false
}

// ready returns the entries that may be tried now, oldest first. Of one
// person's events a later one is ready with the earlier ones: the destination
// keeps the order inside a batch.
func (l *lane) ready(now time.Time, limit int) []*entry {
	var ready []*entry
	waiting := make(map[string]bool)
	for _, e := range l.entries {
		if e.due.After(now) || anyOf(waiting, e.people) {
			for _, id := range e.people {
				waiting[id] = true
			}
			continue
		}
		if ready = append(ready, e); len(ready) == limit {
			break
		}
	}
	return ready
}

// due returns the events that may be tried now.
func (l *lane) due(ctx context.Context, now time.Time, limit int) ([]item, error) {
	if at, any := l.nextDue(); !any || at.After(now) {
		return nil, nil
	}
	var due []item
	for _, e := range l.ready(now, limit) {
		record, err := l.stream.GetMsg(ctx, e.seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			l.spool.log.Error("a record of the retry lane is damaged on disk and lost", "stream", retryStream, "sequence", e.seq)
			l.forget(e.seq)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read retry lane: %w", err)
		}
		it, err := laneItem(record)
		if err != nil {
			return nil, fmt.Errorf("read retry lane: %w", err)
		}
		it.attempts = e.attempts
		due = append(due, it)
	}
	return due, nil
}

// nextDue returns when the first event of the lane that is not behind another
// one is due.
func (l *lane) nextDue() (at time.Time, any bool) {
	waiting := make(map[string]bool)
	for _, e := range l.entries {
		if !anyOf(waiting, e.people) && (!any || e.due.Before(at)) {
			at, any = e.due, true
		}
		for _, id := range e.people {
			waiting[id] = true
		}
	}
	return at, any
}
