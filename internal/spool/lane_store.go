package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

const (
	// headerEntries holds what is to be known of each event of a record in the
	// retry stream beside the event: a JSON array of storedEntry.
	headerEntries = "Entries"
	// maxGroup bounds a record of the retry stream in events, which bounds what
	// progress has to say about it.
	maxGroup = 256
)

// storedEntry is an entry of the lane as the retry stream keeps it.
type storedEntry struct {
	Seq      uint64    `json:"seq"`
	Index    int       `json:"index"`
	Attempts int       `json:"attempts"`
	Since    time.Time `json:"since,omitzero"`
	// Aside marks an event that nobody waits behind.
	Aside bool `json:"aside,omitzero"`
}

// openLane reads what waited for a destination when the program stopped. All of
// it is due at once. Records that cannot be read become dead letters.
func (d *drain) openLane(ctx context.Context) error {
	d.lane = newLane()
	stream, err := d.spool.js.Stream(ctx, retryStream)
	if err != nil {
		return fmt.Errorf("open retry lane: %w", err)
	}
	d.retries = stream
	subject := retrySubject + d.feed.reader
	for seq := uint64(1); ; seq++ {
		record, err := stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("open retry lane: %w", err)
		}
		seq = record.Sequence
		if err := d.openGroup(ctx, record); err != nil {
			return err
		}
	}
}

func (d *drain) openGroup(ctx context.Context, record *jetstream.RawStreamMsg) error {
	events, stored, err := readGroup(record)
	if err != nil {
		d.log.Error("a record of the retry lane cannot be read; it is kept as a dead letter", "error", err)
		if err := d.spool.buryRecord(ctx, d.destination.Name(), record.Data, err, d.claim.on(deadStream)...); err != nil {
			return err
		}
		return d.dropGroup(ctx, record.Sequence)
	}
	g := &group{seq: record.Sequence, settled: d.progress.Lane[record.Sequence], entries: make([]*entry, len(events))}
	doubts := d.progress.Doubts[record.Sequence]
	open := false
	for i, e := range events {
		// What came into the lane is done with in its record, also if the
		// program stopped before that was written down.
		d.progress.handle(origin{stored[i].Seq, stored[i].Index})
		if g.settled.has(i) {
			continue
		}
		open = true
		g.entries[i] = &entry{
			key: keyOf(e), people: d.peopleOf(e), origin: origin{stored[i].Seq, stored[i].Index},
			group: g, index: i, attempts: stored[i].Attempts, since: stored[i].Since, doubt: doubts[i],
		}
		if stored[i].Aside {
			g.entries[i].people = nil
		}
	}
	if !open {
		return d.dropGroup(ctx, g.seq)
	}
	d.lane.add(g)
	return nil
}

func readGroup(record *jetstream.RawStreamMsg) ([]event.Event, []storedEntry, error) {
	events, err := Unseal(record.Data)
	if err != nil {
		return nil, nil, err
	}
	var stored []storedEntry
	if err := json.Unmarshal([]byte(record.Header.Get(headerEntries)), &stored); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	if len(stored) != len(events) {
		return nil, nil, errRecord
	}
	return events, stored, nil
}

// waiter is an event that is to wait in the lane.
type waiter struct {
	item     item
	due      time.Time
	attempts int
	silence  delivery.Outcome // that put it in doubt, not valid if none did
	aside    bool
}

// enqueue puts events at the end of the lane, as few records as it takes. For
// those that the retry stream has no room for it returns their origins: they
// stay in the window until the lane has shrunk.
func (d *drain) enqueue(ctx context.Context, waiters []waiter) (kept map[origin]bool, err error) {
	for len(waiters) > 0 {
		n, frames := 0, []byte(nil)
		for n < min(len(waiters), maxGroup) && (n == 0 || len(frames)+len(waiters[n].item.event.Body) <= maxRecord) {
			frames = frame(frames, waiters[n].item.event)
			n++
		}
		full := false
		err := d.insist(ctx, func(ctx context.Context) error {
			err := d.enqueueGroup(ctx, waiters[:n], frames)
			full = isFull(err)
			if full {
				return nil
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if full {
			d.log.Error("the retry lanes are full; events wait where they are until there is room")
			kept = make(map[origin]bool)
			for _, w := range waiters {
				kept[w.item.origin] = true
			}
			d.clock.sleep(ctx, d.spool.o.Probe.Min)
			return kept, nil
		}
		waiters = waiters[n:]
	}
	return nil, nil
}

func (d *drain) enqueueGroup(ctx context.Context, waiters []waiter, frames []byte) error {
	g := &group{entries: make([]*entry, len(waiters))}
	stored := make([]storedEntry, len(waiters))
	for i, w := range waiters {
		it := w.item
		g.entries[i] = &entry{
			key: keyOf(it.event), people: it.people, origin: it.origin,
			group: g, index: i, due: w.due, attempts: w.attempts, since: it.since, doubt: it.doubt, silence: w.silence,
		}
		stored[i] = storedEntry{Seq: it.origin.seq, Index: it.origin.index, Attempts: w.attempts, Since: it.since.UTC(), Aside: w.aside}
		if w.aside {
			g.entries[i].people = nil
		}
	}
	entries, err := json.Marshal(stored)
	if err != nil {
		return fmt.Errorf("encode retry lane: %w", err)
	}
	ack, err := d.spool.publishMsg(ctx, &nats.Msg{
		Subject: retrySubject + d.feed.reader,
		Header:  nats.Header{headerEntries: {string(entries)}},
		Data:    seal(frames),
	}, append(d.claim.on(retryStream), jetstream.WithMsgID(fmt.Sprintf("%s-%d-%d", d.feed.reader, stored[0].Seq, stored[0].Index)))...)
	if err != nil {
		return fmt.Errorf("write to retry lane: %w", err)
	}
	g.seq = ack.Sequence
	d.lane.add(g)
	return nil
}

// dueItems returns the events of the lane that are to be tried now.
func (d *drain) dueItems(ctx context.Context, now time.Time, limit int) ([]item, error) {
	if at, any := d.lane.nextDue(); !any || at.After(now) {
		return nil, nil
	}
	var items []item
	var lost []verdict
	events := make(map[*group][]event.Event)
	for _, e := range d.lane.ready(now, limit) {
		if _, read := events[e.group]; !read {
			var err error
			if events[e.group], err = d.groupEvents(ctx, e.group); err != nil {
				return nil, fmt.Errorf("read retry lane: %w", err)
			}
		}
		it := d.newItem(events[e.group][e.index], e.origin)
		it.waiting, it.people, it.attempts, it.since, it.doubt = e, e.people, e.attempts, e.since, e.doubt
		if it.event.ID == "" {
			lost = append(lost, lostEntry(it))
			continue
		}
		items = append(items, it)
	}
	return items, d.settle(ctx, lost, nil)
}

// groupEvents reads the events of a record of the lane. Those of one that is
// damaged on disk are read where they came from, as long as they are there.
func (d *drain) groupEvents(ctx context.Context, g *group) ([]event.Event, error) {
	record, err := d.retries.GetMsg(ctx, g.seq)
	if err == nil {
		var events []event.Event
		if events, _, err = readGroup(record); err == nil {
			return events, nil
		}
	}
	if !errors.Is(err, jetstream.ErrMsgNotFound) && !errors.Is(err, errRecord) {
		return nil, err
	}
	d.log.Error("a record of the retry lane is damaged on disk; its events are read where they came from", "sequence", g.seq, "error", err)
	origins, err := d.spool.js.Stream(ctx, d.feed.stream)
	if err != nil {
		return nil, err
	}
	events := make([]event.Event, len(g.entries))
	for i, e := range g.entries {
		if e == nil {
			continue
		}
		there, err := d.spool.eventsAt(ctx, origins, e.origin.seq)
		if err != nil {
			return nil, err
		}
		if e.origin.index < len(there) && keyOf(there[e.origin.index]) == e.key {
			events[i] = there[e.origin.index]
		}
	}
	return events, nil
}

// lostEntry is the verdict on an event of which only its name is left.
func lostEntry(it item) verdict {
	it.event.Source, it.event.ID, _ = strings.Cut(it.waiting.key, "\x00")
	return verdict{item: it, outcome: delivery.Dead(delivery.ReasonUnreadable, errRecord), late: true}
}

// dropGroup deletes a record all of whose events are settled.
func (d *drain) dropGroup(ctx context.Context, seq uint64) error {
	if err := d.retries.DeleteMsg(ctx, seq); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("take off retry lane: %w", err)
	}
	return nil
}
