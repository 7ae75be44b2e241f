package spool

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/verobridge/verobridge/internal/delivery"
)

const (
	// standEvery is how often it is looked how the destinations stand.
	standEvery = 2 * time.Second
	// appendSlack is how much later than its arrival an event may be written, by
	// twice the time that the door waits for it.
	appendSlack = 10 * time.Second
)

// live is what a destination's drain says of itself.
type live struct {
	pausedSince time.Time // zero while it is not paused
	reason      delivery.Reason
	detail      string
	retrying    int
	buried      int // dead letters since the start
}

// notePause remembers that the destination of a feed is paused, and why.
func (d *drain) notePause(first delivery.Outcome) {
	d.spool.metrics.pause(d.feed.reader, true)
	d.note(func(l *live) {
		if l.pausedSince.IsZero() {
			l.pausedSince = d.clock.now().UTC()
		}
		l.reason, l.detail = first.Reason(), first.Detail()
	})
}

// noteResumed remembers that it is not any more.
func (d *drain) noteResumed() {
	d.spool.metrics.pause(d.feed.reader, false)
	d.note(func(l *live) { l.pausedSince, l.reason, l.detail = time.Time{}, "", "" })
}

// noteRetrying remembers how many events wait in the retry lane.
func (d *drain) noteRetrying() {
	n := len(d.lane.events)
	d.spool.metrics.wait(d.feed.reader, n)
	d.note(func(l *live) { l.retrying = n })
}

func (d *drain) note(change func(*live)) { d.spool.noteLive(d.feed.reader, change) }

// noteBuried remembers that events of a destination became dead letters.
func (s *Spool) noteBuried(destination string, letters int) {
	s.metrics.buried(destination, letters)
	s.noteLive(destination, func(l *live) { l.buried += letters })
}

func (s *Spool) noteLive(reader string, change func(*live)) {
	s.liveMu.Lock()
	defer s.liveMu.Unlock()
	l := s.live[reader]
	change(&l)
	s.live[reader] = l
}

func (s *Spool) liveOf(reader string) live {
	s.liveMu.Lock()
	defer s.liveMu.Unlock()
	return s.live[reader]
}

// WatchStandings tells write every two seconds how each destination stands, until
// ctx ends. An error of write is its own affair: it is told again.
//
// That a destination is complete up to some time is said when two things are so:
// it was done with all that was received before, and the reports that there were
// by then are written. Progress is saved after the reports are, so to look at the
// progress first and to wait for the reports afterwards is enough.
func (s *Spool) WatchStandings(ctx context.Context, write func(context.Context, []delivery.Standing) error) error {
	complete := make(map[string]time.Time)
	var pending struct {
		until   map[string]time.Time
		reports uint64
	}
	failing := false
	for ctx.Err() == nil {
		standings, reports, err := s.standings(ctx)
		if err == nil {
			if pending.until != nil && s.doneBy(reportsReader) >= pending.reports {
				for name, until := range pending.until {
					if until.After(complete[name]) {
						complete[name] = until
					}
				}
				pending.until = nil
			}
			if pending.until == nil {
				pending.until, pending.reports = make(map[string]time.Time), reports
				for _, st := range standings {
					pending.until[st.Destination] = st.CompleteUntil
				}
			}
			for i := range standings {
				standings[i].CompleteUntil = complete[standings[i].Destination]
			}
			err = write(ctx, standings)
		}
		if err != nil && ctx.Err() == nil && !failing {
			s.log.Warn("cannot write down how the destinations stand; trying again", "error", err)
		}
		failing = err != nil
		s.clock.sleep(ctx, standEvery)
	}
	return nil
}

// Standings returns how each destination stands, without CompleteUntil.
func (s *Spool) Standings(ctx context.Context) ([]delivery.Standing, error) {
	standings, _, err := s.standings(ctx)
	for i := range standings {
		standings[i].CompleteUntil = time.Time{}
	}
	return standings, err
}

// standings returns how each destination stands, complete as soon as the reports
// up to the record of that number are written.
func (s *Spool) standings(ctx context.Context) (standings []delivery.Standing, reports uint64, err error) {
	now := s.clock.now().UTC()
	events, err := s.js.Stream(ctx, eventsStream)
	if err != nil {
		return nil, 0, fmt.Errorf("look how destinations stand: %w", err)
	}
	state := events.CachedInfo().State
	received := make(map[uint64]time.Time) // destinations often stand at the same record
	for _, name := range s.o.Destinations {
		l := s.liveOf(name)
		st := delivery.Standing{
			Destination: name, PausedSince: l.pausedSince, Reason: l.reason, Detail: l.detail, Retrying: l.retrying, Buried: l.buried,
			CompleteUntil: now.Add(-appendSlack), Elsewhere: !s.fleet.isHere(name),
		}
		if next := max(s.doneBy(name)+1, state.FirstSeq); next <= state.LastSeq {
			at, known := received[next]
			if !known {
				if at, err = s.firstReceived(ctx, events, next, state.LastSeq); err != nil {
					return nil, 0, fmt.Errorf("look how %s stands: %w", name, err)
				}
				received[next] = at
			}
			st.Backlog = state.LastSeq - next + 1
			if !at.IsZero() {
				st.BehindSince, st.CompleteUntil = at, at.Add(-appendSlack)
			}
		}
		standings = append(standings, st)
	}
	written, err := s.js.Stream(ctx, reportsStream)
	if err != nil {
		return nil, 0, fmt.Errorf("look how destinations stand: %w", err)
	}
	return standings, written.CachedInfo().State.LastSeq, nil
}

// firstReceived returns when the oldest event was received in the first of the
// records that holds one, the zero time if none does.
func (s *Spool) firstReceived(ctx context.Context, stream jetstream.Stream, from, to uint64) (time.Time, error) {
	for seq := from; seq <= to; seq++ {
		events, err := s.eventsAt(ctx, stream, seq)
		if err != nil {
			return time.Time{}, err
		}
		var first time.Time
		for _, e := range events {
			if first.IsZero() || e.ReceivedAt.Before(first) {
				first = e.ReceivedAt
			}
		}
		if !first.IsZero() {
			return first.UTC(), nil
		}
	}
	return time.Time{}, nil
}
