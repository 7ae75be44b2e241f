package spool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

var (
	// errNotOwner says that another bridge has the reader, or may have it.
	errNotOwner = errors.New("another bridge may read here now")
	// errShared says that the reader is given up to another bridge.
	errShared = errors.New("another bridge reads here from now on")
)

// lease is the right of one bridge to a reader. It is a record that only the one
// who wrote it last may replace, and that the server drops when nobody does for a
// while (fleetStream). Whoever holds it stops sooner than that, by his own clock.
//
//	nobody ──take──▶ held ──renew, each beat──▶ held ──release──▶ nobody
//	                  └── no answer for 2/3 of the lease: stop ─ the rest passes ─┘
type lease struct {
	fleet    *fleet
	reader   string
	revision uint64
	renewed  atomic.Pointer[time.Time] // when the last renewal that succeeded was asked for
	lost     context.CancelCauseFunc   // stops whoever reads
}

// asOwner runs read while this bridge owns the reader, as often as that comes to
// be, until ctx ends. With the embedded server nobody else is there, and there is
// no lease: it runs once.
func (s *Spool) asOwner(ctx context.Context, reader string, read func(context.Context, *lease) error) error {
	if s.fleet == nil {
		return read(ctx, nil)
	}
	s.fleet.arrive(ctx)
	context.AfterFunc(ctx, s.fleet.leave) // before the last delivery has ended
	defer s.fleet.leave()
	for ctx.Err() == nil {
		l, err := s.fleet.acquire(ctx, reader)
		if err != nil {
			return nil // ctx has ended
		}
		if err := l.hold(ctx, read); err != nil && ctx.Err() == nil && !errors.Is(err, errNotOwner) {
			s.log.Error("cannot read; trying again", "reader", reader, "error", err)
			s.clock.sleep(ctx, s.fleet.beat)
		}
	}
	return nil
}

// acquire waits until this bridge owns the reader. Its error is that of ctx.
func (f *fleet) acquire(ctx context.Context, reader string) (*lease, error) {
	wait := Backoff{Min: f.beat, Max: f.beat}
	for ctx.Err() == nil {
		if f.reserve() {
			l, err := f.take(ctx, reader)
			if err == nil {
				f.spool.log.Info("this bridge reads here now", "reader", reader)
				return l, nil
			}
			f.free()
			if !isRefused(err) {
				f.spool.log.Debug("cannot ask for a reader", "reader", reader, "error", err)
			}
		}
		sleep(ctx, wait.wait(1))
	}
	return nil, ctx.Err()
}

// take makes the record of a lease, if nobody has it.
func (f *fleet) take(ctx context.Context, reader string) (*lease, error) {
	l := &lease{fleet: f, reader: reader}
	return l, l.write(ctx, 0)
}

// write makes or replaces the record, if it is the one that is expected.
func (l *lease) write(ctx context.Context, expected uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 2*l.fleet.beat)
	defer cancel()
	asked := time.Now()
	ack, err := l.fleet.spool.js.Publish(ctx, ownerSubject+l.reader, []byte(l.fleet.self), jetstream.WithExpectLastSequencePerSubject(expected))
	if err != nil {
		return err
	}
	l.revision = ack.Sequence
	l.renewed.Store(&asked)
	return nil
}

// hold reads until ctx ends, the reading does, or the lease is over, and gives the
// lease back.
func (l *lease) hold(ctx context.Context, read func(context.Context, *lease) error) error {
	reading, stop := context.WithCancelCause(ctx)
	l.lost = stop
	// It is renewed also while the reading comes to its end.
	renewing, done := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	var surrendered bool
	work.Go(func() { surrendered = l.keep(renewing) })
	l.fleet.setHere(l.reader, true)
	err := read(reading, l)
	l.fleet.setHere(l.reader, false)
	done()
	work.Wait()
	if cause := context.Cause(reading); cause != nil && ctx.Err() == nil {
		l.fleet.spool.log.Info("this bridge reads here no more", "reader", l.reader, "why", cause)
	}
	stop(nil)
	l.release(context.WithoutCancel(ctx))
	if !surrendered {
		l.fleet.free()
	}
	return err
}

// keep renews the lease until ctx ends or it is lost. When other bridges have too
// little to do it stops the reading, and says so.
func (l *lease) keep(ctx context.Context) (surrendered bool) {
	over := time.AfterFunc(l.left(), func() { l.lost(errNotOwner) })
	defer over.Stop()
	ticker := time.NewTicker(l.fleet.beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return surrendered
		case <-ticker.C:
		}
		switch err := l.renew(ctx); {
		case err == nil:
			over.Reset(l.left())
		case errors.Is(err, errNotOwner):
			l.lost(err)
			return surrendered
		}
		if !surrendered && l.fleet.surrender() {
			surrendered = true
			l.lost(errShared)
		}
	}
}

// renew replaces the record. If it is not the one that was expected, an answer may
// have got lost: then it is ours all the same.
func (l *lease) renew(ctx context.Context) error {
	err := l.write(ctx, l.revision)
	if !isRefused(err) {
		return err
	}
	stream, err := l.fleet.spool.js.Stream(ctx, fleetStream)
	if err != nil {
		return err
	}
	record, err := stream.GetLastMsgForSubject(ctx, ownerSubject+l.reader)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return fmt.Errorf("%w: the lease has run out", errNotOwner)
	case err != nil:
		return err
	case string(record.Data) != l.fleet.self:
		return fmt.Errorf("%w: the lease has been taken", errNotOwner)
	}
	l.revision = record.Sequence
	return l.write(ctx, l.revision)
}

// left is for how long nobody else can have the lease, less a third for the
// difference of clocks.
func (l *lease) left() time.Duration {
	return l.fleet.spool.o.Lease*2/3 - time.Since(*l.renewed.Load())
}

// check returns an error if another bridge may have the reader. Without a lease
// there is no other.
func (l *lease) check() error {
	if l != nil && l.left() <= 0 {
		return errNotOwner
	}
	return nil
}

// release lets others have the reader at once.
func (l *lease) release(ctx context.Context) {
	if l.check() != nil {
		return // it is not ours to delete
	}
	ctx, cancel := context.WithTimeout(ctx, 2*l.fleet.beat)
	defer cancel()
	stream, err := l.fleet.spool.js.Stream(ctx, fleetStream)
	if err == nil {
		err = stream.DeleteMsg(ctx, l.revision)
	}
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		l.fleet.spool.log.Info("cannot give a reader back; others have it in a moment", "reader", l.reader, "error", err)
	}
}
