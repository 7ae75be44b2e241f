package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

const (
	// idleWait is how long a drain waits for a record before it looks around.
	idleWait = 5 * time.Second
	// replayWait is the same for a replay: somebody may be looking on.
	replayWait = time.Second
	// shortWait is the least time to wait for a record: a shorter fetch is likely
	// to end just as the server sends one.
	shortWait = 100 * time.Millisecond
	// maxWindow bounds the records that are read while the first of them is not
	// done. Most of them may hold nothing for the destination.
	maxWindow = 10_000
	// maxWindowBytes bounds the bodies of events in those records.
	maxWindowBytes = 64 << 20
	// saveEvery is how often progress is saved when nothing is settled because
	// the records hold nothing for the destination.
	saveEvery = 5 * time.Second
)

// DrainOptions say what a destination gets.
type DrainOptions struct {
	// Accept says whether an event is for this destination. One that is not is
	// passed over, or, where there is a reason, skipped with a report. It is
	// asked again when an event has waited. Defaults to all.
	Accept func(event.Event) (wanted bool, skip delivery.Reason)
	// MaxEvents bounds a batch. Defaults to 1000.
	MaxEvents int
	// Unordered says that the destination does not care for the order of a
	// person's events, so that none waits behind another. Defaults to false.
	Unordered bool
	// ReplayRate is how many events a second are sent again, for replays that do
	// not say it themselves. Defaults to 50.
	ReplayRate float64
}

// drain hands the events of one feed to a destination, in one goroutine.
//
//	feed   ──cursor──▶ window ──┐                ┌─▶ done: progress moves on
//	                            ├─ offer ─ judge ┼─▶ retry lane
//	retry lane ──when due───────┘                └─▶ stays in the window
type drain struct {
	spool       *Spool
	feed        feed
	destination delivery.Destination
	o           DrainOptions
	log         *slog.Logger
	clock       clock
	claim       claim
	cursor      *cursor
	window      window
	lane        *lane
	retries     jetstream.Stream
	progress    progress
	// restart is the last record there was when the drain began. Only records up
	// to it can have been settled in part before.
	restart uint64
	savedAt time.Time
	sweptAt time.Time
	pause   pause
	// turn belongs to whoever may ask the destination: the live drain whenever it
	// has something to do, else a replay for one batch.
	turn *sync.Mutex
	// pace bounds how fast a replay goes, nil for the live drain.
	pace *pace
}

// Drain hands events to a destination until ctx ends, and settles what comes
// of them: those that come in, and, while there are none, those that people
// asked to send again (Replay). It returns an error only if it cannot start.
// Whatever is not settled when it returns comes again, in order, the next time. Of
// the bridges that share a cluster one does it, the others stand by.
func (s *Spool) Drain(ctx context.Context, d delivery.Destination, o DrainOptions) error {
	o.MaxEvents = cmp.Or(o.MaxEvents, 1000)
	if o.Accept == nil {
		o.Accept = func(event.Event) (bool, delivery.Reason) { return true, "" }
	}
	return s.asOwner(ctx, d.Name(), func(ctx context.Context, l *lease) error { return s.drain(ctx, l, d, o) })
}

func (s *Spool) drain(ctx context.Context, l *lease, d delivery.Destination, o DrainOptions) error {
	turn := new(sync.Mutex)
	live := &drain{
		spool: s, feed: liveFeed(d.Name()), destination: d, o: o,
		log: s.log.With("destination", d.Name()), clock: s.clock, turn: turn,
	}
	replay := &drain{
		spool: s, feed: replayFeed(d.Name()), destination: d, o: o,
		log: live.log.With("replay", true), clock: s.clock, turn: turn, pace: newPace(o.ReplayRate),
	}
	if l != nil {
		if err := s.noteOpened(ctx); err != nil {
			return err
		}
	}
	if again, remembers := d.(delivery.Starter); remembers {
		again.Start()
	}
	for _, dr := range []*drain{live, replay} {
		if err := dr.open(ctx, l); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("drain %s: %w", dr.feed.reader, err)
		}
	}
	turn.Lock()
	var replays sync.WaitGroup
	replays.Go(func() { replay.run(ctx) })
	live.run(ctx)
	turn.Unlock()
	replays.Wait()
	if l != nil { // whoever goes on says how it stands
		for _, dr := range []*drain{live, replay} {
			dr.lane = newLane()
			dr.noteRetrying()
			dr.noteResumed()
		}
	}
	return nil
}

// open finds where the destination was when the program, or another bridge,
// stopped.
func (d *drain) open(ctx context.Context, l *lease) error {
	var err error
	if d.claim, err = d.spool.claim(ctx, l, d.feed.reader); err != nil {
		return err
	}
	if d.progress, err = d.spool.loadProgress(ctx, d.feed.stream, d.feed.reader); err != nil {
		return err
	}
	if err := d.openLane(ctx); err != nil {
		return err
	}
	d.noteRetrying()
	stream, err := d.spool.js.Stream(ctx, d.feed.stream)
	if err != nil {
		return err
	}
	d.restart = stream.CachedInfo().State.LastSeq
	d.cursor = d.spool.newCursor(d.feed.stream, d.progress.Next)
	return nil
}

func (d *drain) run(ctx context.Context) {
	for failed := 0; ctx.Err() == nil; {
		err := d.step(ctx)
		if err == nil || ctx.Err() != nil {
			failed = 0
			continue
		}
		failed++
		d.log.Error("cannot read or settle events; trying again", "error", err)
		d.clock.sleep(ctx, d.spool.o.Probe.wait(failed))
	}
	if err := d.save(ctx); err != nil && !errors.Is(err, errNotOwner) {
		d.log.Error("cannot write down what was settled last; it may be done again", "error", err)
	}
}

// step offers what is due in the lane, and what is fresh, and settles it. While
// the destination is paused it waits for the time of the next probe first: what is
// due by then may be what to probe with.
func (d *drain) step(ctx context.Context) error {
	if d.pause.active() {
		d.clock.sleep(ctx, d.pause.probeAt.Sub(d.clock.now()))
	}
	if err := d.sweep(ctx); err != nil {
		return err
	}
	// Half of a batch is for fresh events, however much waits.
	items, err := d.dueItems(ctx, d.clock.now(), max(1, d.limit()/2))
	if err != nil {
		return err
	}
	if err := d.fill(ctx, len(items) == 0); err != nil {
		return err
	}
	items = append(items, d.window.unhandled(max(1, d.limit()-len(items)))...)
	if len(items) == 0 {
		return d.passOver(ctx)
	}
	return d.round(ctx, items)
}

// fill reads records until the window holds a batch. With wait it waits a while
// for the first one, no longer than until something in the lane is due.
func (d *drain) fill(ctx context.Context, wait bool) error {
	var patience time.Duration
	if wait && d.window.open == 0 {
		if patience = idleWait; d.pace != nil {
			patience = replayWait
		}
		if at, any := d.lane.nextDue(); any {
			patience = max(shortWait, min(patience, at.Sub(d.clock.now())))
		}
		patience = d.clock.wait(patience)
	}
	for d.window.open < d.o.MaxEvents && len(d.window.records) < maxWindow && d.window.bytes < maxWindowBytes {
		records, err := d.read(ctx, patience)
		if err != nil || len(records) == 0 {
			return err
		}
		patience = 0
		for _, record := range records {
			if err := d.take(ctx, record); err != nil {
				return err
			}
		}
		d.window.advance(&d.progress)
	}
	return nil
}

// read reads records. While the live drain waits for them it is the turn of the
// replays.
func (d *drain) read(ctx context.Context, patience time.Duration) ([]jetstream.Msg, error) {
	if d.pace == nil && patience > 0 {
		d.turn.Unlock()
		defer d.turn.Lock()
	}
	return d.cursor.read(ctx, patience)
}

// take adds a record to the window.
func (d *drain) take(ctx context.Context, record jetstream.Msg) error {
	meta, err := record.Metadata()
	if err != nil {
		return err
	}
	seq := meta.Sequence.Stream
	r := &windowRecord{seq: seq, handled: d.progress.Handled[seq]}
	events, err := Unseal(record.Data())
	if err != nil {
		d.log.Error("a record cannot be read; it is kept as a dead letter", "error", err)
		if err := d.insist(ctx, func(ctx context.Context) error {
			return d.spool.buryRecord(ctx, d.destination.Name(), record.Data(), err, d.claim.on(deadStream)...)
		}); err != nil {
			return err
		}
	}
	again := readReplayed(record.Headers(), len(events))
	r.rate = again.Rate
	for i, e := range events {
		it := d.newItem(e, origin{seq, i})
		if r.handled.has(i) || it.skip == notWanted && !d.feed.asked {
			continue
		}
		it.attempts = again.Attempts[i]
		r.items = append(r.items, it)
	}
	d.window.add(r)
	return nil
}

// notWanted marks an item that is passed over without a report.
const notWanted delivery.Reason = "not_wanted"

func (d *drain) newItem(e event.Event, o origin) item {
	it := item{event: e, origin: o, people: d.peopleOf(e)}
	if wanted, skip := d.o.Accept(e); !wanted {
		it.skip = cmp.Or(skip, notWanted)
	}
	return it
}

// peopleOf returns whose order an event has to keep.
func (d *drain) peopleOf(e event.Event) []string {
	if d.o.Unordered {
		return nil
	}
	people := e.People()
	slices.Sort(people)
	return slices.Compact(people)
}

// passOver moves on past records that hold nothing for the destination. It is
// not saved each time: to pass them over again costs nothing.
func (d *drain) passOver(ctx context.Context) error {
	if d.clock.now().Sub(d.savedAt) < saveEvery {
		return nil
	}
	return d.save(ctx)
}

// save writes down what is done.
func (d *drain) save(ctx context.Context) error {
	d.window.advance(&d.progress)
	if d.savedAt = d.clock.now(); !d.pause.active() && d.progress.Next-1 == d.spool.doneBy(d.feed.reader) && len(d.progress.Handled) == 0 {
		return nil
	}
	return d.insist(ctx, func(ctx context.Context) error {
		return d.spool.saveProgress(ctx, d.feed.reader, d.progress, d.claim.on(cursorsStream)...)
	})
}

// insist writes to the spool until it succeeds: what was delivered and cannot
// be written down would be delivered again. While the program stops it tries
// once, and not at all when another bridge may deliver.
func (d *drain) insist(ctx context.Context, write func(context.Context) error) error {
	for failed := 1; ; failed++ {
		err := d.claim.write(ctx, write)
		if err == nil || ctx.Err() != nil {
			return err
		}
		d.log.Error("cannot write to the spool; trying again", "error", err)
		d.clock.sleep(ctx, d.spool.o.Probe.wait(failed))
	}
}

// settleTimeout bounds one write of what became of events. It runs to its end
// also while the program stops.
const settleTimeout = 10 * time.Second

func settling(ctx context.Context, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	return write(ctx)
}
