package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// ErrClosed says that the feed is closed: the program stops.
var ErrClosed = errors.New("the program is stopping")

// ErrBusy says that as many watch as may.
var ErrBusy = errors.New("too many are watching already; close one of them")

// maxWatchers bounds how many watch at once.
const maxWatchers = 64

// Follower reads what has come since it was asked last.
type Follower interface {
	// Next returns the events that were accepted and what became of events, and
	// how many records of one or more were left out.
	Next(ctx context.Context) (events []event.Event, reports []delivery.Report, skipped int, err error)
}

// Options say what is shown.
type Options struct {
	// Follow begins to read what comes in. Required.
	Follow func(ctx context.Context) (Follower, error)
	// Latest returns the events that came last and match, at most n, oldest first.
	// Required.
	Latest func(ctx context.Context, n int, match func(event.Event) bool) ([]event.Event, error)
	// Hidden says that an event must not be shown. Defaults to none.
	Hidden func(event.Event) bool
	// Every is how often it is looked what is new. Defaults to 200 ms.
	Every time.Duration
}

// Feed shows what comes in to everybody who watches.
type Feed struct {
	o Options

	mu       sync.Mutex
	watchers map[*mailbox]bool
	closed   bool
	looking  sync.WaitGroup
	loop     *loop // nil while nobody watches
}

// loop looks what is new while somebody watches.
type loop struct {
	stop  context.CancelFunc
	begun chan struct{} // closed when nothing that comes is missed any more
}

// New returns a feed that nobody watches yet.
func New(o Options) *Feed {
	if o.Every == 0 {
		o.Every = 200 * time.Millisecond
	}
	if o.Hidden == nil {
		o.Hidden = func(event.Event) bool { return false }
	}
	return &Feed{o: o, watchers: make(map[*mailbox]bool)}
}

// Close ends every Watch.
func (f *Feed) Close() {
	f.mu.Lock()
	f.closed = true
	for box := range f.watchers {
		box.fail(ErrClosed)
	}
	f.mu.Unlock()
	f.looking.Wait()
}

// Watch hands over the last events that match, at most last, oldest first, at once
// and even if there are none, and then what comes in, until ctx ends or each
// returns an error, and returns that error. each is called again when it has
// returned, and also, with nothing in it, now and then while nothing comes.
func (f *Feed) Watch(ctx context.Context, filter Filter, last int, each func(Batch) error) error {
	box := newMailbox(filter, f.o.Hidden)
	begun, err := f.enter(box)
	if err != nil {
		return err
	}
	defer f.leave(box)
	select {
	case <-begun:
	case <-box.news:
		box.ring() // it could not begin: that is taken below
	case <-ctx.Done():
		return ctx.Err()
	}
	events, err := f.Latest(ctx, filter, last)
	if err != nil {
		return err
	}
	if err := each(Batch{Events: box.introduce(events)}); err != nil {
		return err
	}
	for {
		batch, err := box.take(ctx)
		if err != nil {
			return err
		}
		if err := each(batch); err != nil {
			return err
		}
	}
}

// searched is how many events are looked at for the latest ones that match.
const searched = 20_000

// Latest returns the last events that match, at most n, oldest first. It does not
// look back for ever.
func (f *Feed) Latest(ctx context.Context, filter Filter, n int) ([]event.Event, error) {
	if n <= 0 {
		return nil, nil
	}
	searching, end := context.WithCancel(ctx)
	defer end()
	var found []event.Event // newest first
	seen := 0
	_, err := f.o.Latest(searching, n, func(e event.Event) bool {
		if seen++; seen > searched {
			end()
			return false
		}
		if !filter.Matches(e) || f.o.Hidden(e) {
			return false
		}
		found = append(found, e)
		return true
	})
	if err != nil && searching.Err() == nil || ctx.Err() != nil {
		return nil, fmt.Errorf("read the latest events: %w", err)
	}
	slices.Reverse(found)
	return found, nil
}

// enter lets somebody watch. The first one sets the loop going.
func (f *Feed) enter(box *mailbox) (begun <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return nil, ErrClosed
	case len(f.watchers) >= maxWatchers:
		return nil, ErrBusy
	}
	f.watchers[box] = true
	if f.loop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		l := &loop{cancel, make(chan struct{})}
		f.loop = l
		f.looking.Go(func() { f.look(ctx, l) })
	}
	return f.loop.begun, nil
}

// leave takes somebody out. The last one stops the loop.
func (f *Feed) leave(box *mailbox) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watchers, box)
	if len(f.watchers) == 0 {
		f.loop.stop()
		f.loop = nil
	}
}

// look hands what is new to all who watch, until ctx ends. Those who watch when
// that cannot be read are told; for those who come later it begins again.
func (f *Feed) look(ctx context.Context, l *loop) {
	begin := sync.OnceFunc(func() { close(l.begun) })
	var follower Follower
	ticker := time.NewTicker(f.o.Every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		var batch Batch
		var err error
		if follower == nil {
			if follower, err = f.o.Follow(ctx); err == nil {
				begin()
			}
		} else {
			batch.Events, batch.Reports, batch.Missed, err = follower.Next(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			follower = nil
			f.each(func(box *mailbox) { box.fail(fmt.Errorf("look what is new: %w", err)) })
		case !batch.isEmpty():
			f.each(func(box *mailbox) { box.put(batch) })
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

func (f *Feed) each(do func(*mailbox)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for box := range f.watchers {
		do(box)
	}
}
