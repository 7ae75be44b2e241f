package spool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// fleetStream holds who is there and who owns what, in memory: each record goes
	// by itself when it is not renewed within the lease.
	fleetStream   = "VEROBRIDGE_FLEET"
	bridgeSubject = "verobridge.fleet.bridge."
	ownerSubject  = "verobridge.fleet.owner."

	// defaultLease is longer than a cluster takes to elect a leader (nats-server:
	// 4 to 9 s), so that a lost node alone moves nothing.
	defaultLease = 12 * time.Second
	// beats is how often a lease is renewed before it would end.
	beats = 12
	// unheard is after how many beats without an answer another node is asked.
	unheard = 4
)

// fleet is the bridges that share a cluster, as one of them sees it.
type fleet struct {
	spool *Spool
	self  string // a name that no other process has
	beat  time.Duration

	leaving sync.Mutex
	mu      sync.Mutex
	there   bool // whether this bridge reads
	bridges int  // that read
	owned   int  // readers that are this bridge's
	reading map[string]bool
	silent  int   // beats in a row without an answer
	problem error // of the last beat
}

func newFleet(s *Spool) *fleet {
	return &fleet{spool: s, self: uuid.NewString(), beat: s.o.Lease / beats, bridges: 1, reading: make(map[string]bool)}
}

// fleetConfig is the stream of the fleet. It needs no disk: when all servers have
// stopped, nobody owns anything.
func (f *fleet) fleetConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: fleetStream, Subjects: []string{bridgeSubject + "*", ownerSubject + "*"},
		Storage: jetstream.MemoryStorage, Replicas: f.spool.o.Replicas,
		MaxAge: f.spool.o.Lease, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardOld, Duplicates: leastDuplicates,
	}
}

// open makes the stream of the fleet.
func (f *fleet) open(ctx context.Context) error {
	if _, err := f.spool.js.CreateOrUpdateStream(ctx, f.fleetConfig()); err != nil {
		return fmt.Errorf("make stream %s: %w", fleetStream, err)
	}
	return nil
}

// run looks at the cluster again and again, until the spool closes.
func (f *fleet) run() {
	ticker := time.NewTicker(f.beat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f.note(f.look(context.Background()))
		case <-f.spool.closing:
			return
		}
	}
}

// arrive says that this bridge reads.
func (f *fleet) arrive(ctx context.Context) {
	f.mu.Lock()
	first := !f.there
	f.there = true
	f.mu.Unlock()
	if first {
		f.note(f.look(ctx))
	}
}

// leave says that this bridge is about to stop, so that the others share what it
// has.
func (f *fleet) leave() {
	f.leaving.Lock() // whoever comes second waits until it is said
	defer f.leaving.Unlock()
	f.mu.Lock()
	last := f.there
	f.there = false
	f.mu.Unlock()
	if !last {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*f.beat)
	defer cancel()
	stream, err := f.spool.js.Stream(ctx, fleetStream)
	if err == nil {
		err = stream.Purge(ctx, jetstream.WithPurgeSubject(bridgeSubject+f.self))
	}
	if err != nil {
		f.spool.log.Info("cannot take leave of the other bridges; they notice in a moment", "error", err)
	}
}

// isThere says whether this bridge reads.
func (f *fleet) isThere() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.there
}

// look says that this bridge is there, counts the others, and reads what all
// readers have done.
func (f *fleet) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(2*f.beat, time.Second))
	defer cancel()
	if f.isThere() {
		if _, err := f.spool.js.Publish(ctx, bridgeSubject+f.self, nil); err != nil {
			return fmt.Errorf("reach the cluster: %w", err)
		}
	}
	stream, err := f.spool.js.Stream(ctx, fleetStream)
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(bridgeSubject+"*"))
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	f.mu.Lock()
	f.bridges = max(1, len(info.State.Subjects))
	f.mu.Unlock()
	if _, err := f.spool.js.Stream(ctx, eventsStream); err != nil {
		return fmt.Errorf("reach the events: %w", err)
	}
	for _, r := range f.spool.readers() {
		p, err := f.spool.readProgressIn(ctx, cursorsStream, cursorsSubject+r.reader)
		switch {
		case err == nil:
			f.spool.noteDone(r.reader, p.Next-1)
		case isPassing(err):
			return fmt.Errorf("read what %s has done: %w", r.reader, err)
		}
	}
	return nil
}

// note remembers how a beat went. A node that is cut off from the others keeps its
// clients, so after some time without an answer this bridge turns to another one.
func (f *fleet) note(err error) {
	f.mu.Lock()
	f.problem = err
	f.silent++
	if err == nil {
		f.silent = 0
	}
	turn := f.silent > 0 && f.silent%unheard == 0
	f.mu.Unlock()
	if !turn {
		return
	}
	f.spool.log.Warn("the NATS cluster does not answer; trying another of its servers", "error", err)
	for _, conn := range []*nats.Conn{f.spool.conn, f.spool.door} {
		if err := conn.ForceReconnect(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			f.spool.log.Warn("cannot change the server", "error", err)
		}
	}
}

// ready returns why events cannot be accepted now, nil if they can.
func (f *fleet) ready() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.problem
}

// share is how many readers are a bridge's at most.
func (f *fleet) share() int {
	readers := len(f.spool.o.Destinations) + 1 // and that of reports
	return (readers + f.bridges - 1) / f.bridges
}

// reserve says whether this bridge may own one reader more, and counts it.
func (f *fleet) reserve() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.owned >= f.share() {
		return false
	}
	f.owned++
	return true
}

// surrender says whether this bridge owns more than its share, and counts one as
// given up.
func (f *fleet) surrender() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.owned <= f.share() {
		return false
	}
	f.owned--
	return true
}

// isHere says whether it is this bridge that reads for a reader. With the embedded
// server there is no other.
func (f *fleet) isHere(reader string) bool {
	if f == nil {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reading[reader]
}

func (f *fleet) setHere(reader string, here bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reading[reader] = here
}

// free counts a reader as given up.
func (f *fleet) free() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owned--
}
