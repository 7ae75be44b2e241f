package spool

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// connect brings the spool to where Append may be called.
func (s *Spool) connect(ctx context.Context) error {
	open := s.openEmbedded
	if s.o.URL != "" {
		open = s.joinCluster
	}
	if err := open(ctx); err != nil {
		return err
	}
	if err := s.noteOpened(ctx); err != nil {
		return err
	}
	s.metrics = newMetrics(s.o.Registerer, s)
	return nil
}

// openEmbedded starts the server of this process and reads where readers were.
func (s *Spool) openEmbedded(ctx context.Context) error {
	damaged, err := s.startOnce(ctx)
	if damaged {
		// The server has cut the file where it stopped to make sense, but its idea
		// of what is in it is from before, until it reads it anew.
		if err := s.disconnect(); err != nil {
			return err
		}
		_, err = s.startOnce(ctx)
	}
	if err != nil {
		return err
	}
	for _, f := range s.readers() {
		if _, err := s.loadProgress(ctx, f.stream, f.reader); err != nil {
			return err
		}
	}
	return nil
}

// startOnce starts the server and makes the streams. It says whether the end of
// one is damaged.
func (s *Spool) startOnce(ctx context.Context) (damaged bool, err error) {
	if s.server, err = startEmbedded(ctx, s.o.Dir, s.log); err != nil {
		return false, err
	}
	if err := s.dial(s.server.connect); err != nil {
		return false, err
	}
	if err := s.makeStreams(ctx); err != nil {
		return false, err
	}
	damaged, err = s.readEnds(ctx)
	if err != nil || damaged {
		return damaged, err
	}
	return s.anyEndLost(ctx)
}

// dial makes the connections.
func (s *Spool) dial(connect func() (*nats.Conn, error)) (err error) {
	for _, c := range []struct {
		conn **nats.Conn
		js   *jetstream.JetStream
	}{{&s.conn, &s.js}, {&s.door, &s.appends}} {
		if *c.conn, err = connect(); err != nil {
			return fmt.Errorf("connect to NATS: %w", err)
		}
		if *c.js, err = jetstream.New(*c.conn); err != nil {
			return err
		}
	}
	return nil
}

// leastDuplicates is the shortest time for which the server may remember which
// messages it has.
const leastDuplicates = 100 * time.Millisecond

func (s *Spool) makeStreams(ctx context.Context) error {
	// DiscardOld, the default, would drop what is undelivered.
	base := jetstream.StreamConfig{
		Storage:   jetstream.FileStorage,
		Replicas:  s.o.Replicas,
		Retention: jetstream.LimitsPolicy,
		// At a start the server reads what came in within this time, and a file
		// damaged there can keep it from ever getting on (nats-server 2.15.2).
		Duplicates: leastDuplicates,
	}
	type stream struct {
		name, subject string
		maxBytes      int64
		discard       jetstream.DiscardPolicy
	}
	streams := []stream{
		{eventsStream, eventsSubject, s.o.MaxBytes, jetstream.DiscardNew},
		{retryStream, retrySubject + "*", s.o.MaxBytes / 4, jetstream.DiscardNew},
		// Dead letters have had their verdict and their report. When there are
		// too many the oldest go, so that nobody can stop a destination with them.
		{deadStream, deadSubject + "*", s.o.MaxBytes / 4, jetstream.DiscardOld},
		{reportsStream, reportsSubject, s.o.MaxBytes / 4, jetstream.DiscardNew},
	}
	for _, name := range s.o.Destinations {
		// Whoever replays waits until there is room.
		streams = append(streams, stream{replayStream + name, replaySubject + name, max(maxPayload, s.o.MaxBytes/64), jetstream.DiscardNew})
	}
	claims := func(name string) []string {
		if s.o.URL != "" && slices.Contains(claimedStreams, name) {
			return []string{claimIn(name, "*")}
		}
		return nil
	}
	for _, c := range streams {
		config := base
		if c.name == retryStream {
			config.Duplicates = 0 // the default: a group that is written twice would be delivered twice
		}
		config.Name, config.Subjects, config.MaxBytes, config.Discard = c.name, append(claims(c.name), c.subject), c.maxBytes, c.discard
		if _, err := s.js.CreateOrUpdateStream(ctx, config); err != nil {
			return fmt.Errorf("make stream %s: %w", c.name, err)
		}
	}
	for _, c := range cursorStreams {
		cursors := base
		cursors.Name, cursors.Subjects = c.name, append(claims(c.name), c.subject+"*")
		cursors.Discard = jetstream.DiscardOld
		if _, err := s.js.CreateOrUpdateStream(ctx, cursors); err != nil {
			return fmt.Errorf("make stream %s: %w", c.name, err)
		}
	}
	return nil
}

// readEnds reads the last record of each stream and says whether one is damaged.
// The server checks a file when it first reads from it, and gives up what is
// behind the first place that makes no sense. That must not be behind records
// that are accepted by then.
func (s *Spool) readEnds(ctx context.Context) (damaged bool, err error) {
	streams := s.js.ListStreams(ctx)
	for before := range streams.Info() {
		if before.State.Msgs == 0 {
			continue
		}
		name := before.Config.Name
		stream, err := s.js.Stream(ctx, name)
		if err != nil {
			return false, err
		}
		_, err = stream.GetMsg(ctx, before.State.LastSeq)
		after, problem := stream.Info(ctx)
		if problem != nil {
			return false, problem
		}
		if err != nil || after.State.LastSeq < before.State.LastSeq || after.State.Msgs < before.State.Msgs {
			s.log.Error("the end of a stream is damaged on disk; what can be read is delivered", "stream", name, "error", err)
			damaged = true
		}
	}
	return damaged, streams.Err()
}

// anyEndLost says whether a reader is done with more than its stream holds.
func (s *Spool) anyEndLost(ctx context.Context) (bool, error) {
	for _, f := range s.readers() {
		p, err := s.readProgress(ctx, f.reader)
		if err != nil {
			if isPassing(err) {
				return false, err
			}
			continue // new, or to be mended
		}
		stream, err := s.js.Stream(ctx, f.stream)
		if err != nil {
			return false, err
		}
		if p.Next > stream.CachedInfo().State.LastSeq+1 {
			return true, nil
		}
	}
	return false, nil
}

// readers returns who reads which stream.
func (s *Spool) readers() []feed {
	feeds := []feed{{stream: reportsStream, reader: reportsReader}}
	for _, name := range s.o.Destinations {
		feeds = append(feeds, liveFeed(name), replayFeed(name))
	}
	return feeds
}
