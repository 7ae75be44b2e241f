package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// The streams, and the subjects that their records are published to. Retries,
// dead letters and cursors have one subject for each destination; replays have
// a stream for each, which goes away record by record.
const (
	eventsStream  = "VEROBRIDGE_EVENTS"
	retryStream   = "VEROBRIDGE_RETRY"
	deadStream    = "VEROBRIDGE_DEAD"
	replayStream  = "VEROBRIDGE_REPLAY_"
	reportsStream = "VEROBRIDGE_REPORTS"
	cursorsStream = "VEROBRIDGE_CURSORS"
	copiesStream  = "VEROBRIDGE_CURSOR_COPIES"

	eventsSubject  = "verobridge.events"
	retrySubject   = "verobridge.retry."
	deadSubject    = "verobridge.dead."
	replaySubject  = "verobridge.replay."
	reportsSubject = "verobridge.reports"
	cursorsSubject = "verobridge.cursors."
	copiesSubject  = "verobridge.cursor_copies."
)

// maxPayload bounds a record on the wire. One event may be as large as a
// request body, 16 MiB at most; a dead letter says more than its event.
const maxPayload = 32 << 20

var (
	// ErrFull says that the spool holds as much as it may and that none of it
	// is settled. The caller must refuse the events; nothing of them is kept.
	ErrFull = errors.New("the spool is full")
	// ErrClosed says that the spool is closing or closed.
	ErrClosed = errors.New("the spool is closed")
)

// Options say where the spool is and how much it holds.
type Options struct {
	// Dir is the folder of the embedded server. It belongs to one process at a
	// time. Required unless URL is set.
	Dir string
	// URL is the address of an external NATS cluster. Defaults to the embedded
	// server.
	URL string
	// Replicas is how many servers of the cluster keep each record. Defaults
	// to 3 with a URL; the embedded server always keeps 1.
	Replicas int
	// Lease is for how long a bridge that has fallen silent keeps others from
	// going on with what it read. Defaults to 12 s. The embedded server needs none.
	Lease time.Duration
	// Destinations names the destinations whose unsettled events must be kept.
	// A destination seen for the first time starts with the next event.
	Destinations []string
	// MaxBytes bounds the events on disk. Reports, retries and dead letters may
	// each take a quarter of it besides. Defaults to half of the space that is
	// free in Dir, or to 10 GiB with a URL.
	MaxBytes int64
	// ReplayWindow is how long settled events are kept for replays. Defaults
	// to 7 days. When the spool is full they go earlier.
	ReplayWindow time.Duration
	// Horizon is how long a passing failure is retried before the event
	// becomes a dead letter. Pauses of the destination do not count. Defaults to
	// 7 days.
	Horizon time.Duration
	// Retry is the wait before a failed event is tried again. Defaults to 1 s,
	// doubling to 15 min.
	Retry Backoff
	// Probe is the wait before an unavailable destination is tried again.
	// Defaults to 1 s, doubling to 60 s.
	Probe Backoff
	// Logger defaults to slog.Default().
	Logger *slog.Logger
	// Registerer takes the metrics. Defaults to none.
	Registerer prometheus.Registerer

	clock clock // of tests
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" && o.URL == "" {
		return o, errors.New("the spool needs a directory or the URL of a NATS cluster")
	}
	if o.URL == "" {
		o.Replicas = 1
	}
	o.Replicas = cmp.Or(o.Replicas, 3)
	o.Lease = cmp.Or(o.Lease, defaultLease)
	o.ReplayWindow = cmp.Or(o.ReplayWindow, 7*24*time.Hour)
	o.Horizon = cmp.Or(o.Horizon, 7*24*time.Hour)
	o.Retry = o.Retry.withDefaults(time.Second, 15*time.Minute)
	o.Probe = o.Probe.withDefaults(time.Second, time.Minute)
	if o.MaxBytes == 0 {
		o.MaxBytes = 10 << 30
		if o.URL == "" {
			n, err := defaultMaxBytes(o.Dir)
			if err != nil {
				return o, err
			}
			o.MaxBytes = n
		}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.clock.now == nil {
		o.clock = wallClock()
	}
	return o, nil
}

// Spool keeps events until every destination has settled them. Several programs may
// share a cluster, with the same destinations. Its methods may
// be called from many goroutines; Drain from one for each destination.
type Spool struct {
	o      Options
	server *embedded // nil with an external cluster
	conn   *nats.Conn
	js     jetstream.JetStream
	// door is for Append alone: large records on their way to a destination must
	// not hold it up.
	door    *nats.Conn
	appends jetstream.JetStream
	fleet   *fleet // nil with the embedded server
	metrics *metrics
	log     *slog.Logger
	clock   clock
	// forecast is written by one goroutine.
	forecast forecast

	doneMu  sync.Mutex
	done    map[string]uint64    // up to which record each reader is done
	copied  map[string]time.Time // when its progress was written twice
	saves   map[string]int       // how often its progress was written
	opened  map[string]uint64    // the last record of each stream at the start, or when a reader was taken over
	broken  atomic.Bool          // the last record could not be written
	refused atomic.Int64         // how many appends have failed

	liveMu sync.Mutex
	live   map[string]live // by reader

	failuresMu sync.Mutex
	failures   map[string]failure // by subject, those whose last write failed

	replaying sync.Mutex // held while it is looked what is queued, and more is
	taking    sync.Mutex // held while dead letters are taken away

	queue   chan *pending
	closing chan struct{}
	close   func() error // once
	work    sync.WaitGroup
}

// Open starts the embedded server, or connects to the cluster, and makes the
// streams and cursors that are missing. It returns when Append may be called.
func Open(ctx context.Context, o Options) (*Spool, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s := &Spool{
		o:        o,
		log:      o.Logger,
		clock:    o.clock,
		forecast: forecast{limit: o.MaxBytes},
		done:     make(map[string]uint64),
		copied:   make(map[string]time.Time),
		saves:    make(map[string]int),
		live:     make(map[string]live),
		opened:   make(map[string]uint64),
		failures: make(map[string]failure),
		queue:    make(chan *pending),
		closing:  make(chan struct{}),
	}
	s.close = sync.OnceValue(s.shutdown)
	if err := s.connect(ctx); err != nil {
		return nil, fmt.Errorf("open spool: %w", errors.Join(err, s.disconnect()))
	}
	for range committers {
		s.work.Go(s.commit)
	}
	s.work.Go(s.trimRegularly)
	if s.fleet != nil {
		s.work.Go(s.fleet.run)
	}
	return s, nil
}

// Close stops taking events, lets the records in flight finish, and stops the
// server. Stop the drains first: they need the spool to settle. Closing twice
// is one.
func (s *Spool) Close() error { return s.close() }

func (s *Spool) shutdown() error {
	close(s.closing)
	s.work.Wait()
	s.metrics.unregister()
	if s.fleet == nil && s.stuck() == nil {
		if err := settling(context.Background(), s.copyAll); err != nil {
			s.log.Warn("the copies of what readers have done are some seconds old", "error", err)
		}
	}
	return s.disconnect()
}

func (s *Spool) disconnect() error {
	for _, c := range []*nats.Conn{s.door, s.conn} {
		if c != nil {
			c.Close()
		}
	}
	if s.server != nil {
		return s.server.stop()
	}
	return nil
}

// Refusals returns how many appends have failed since the spool was opened.
func (s *Spool) Refusals() int64 { return s.refused.Load() }

// Ready returns nil while the spool can take events.
func (s *Spool) Ready() error {
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	if !s.door.IsConnected() {
		return errors.New("the spool has no connection to NATS")
	}
	if s.fleet != nil {
		return s.fleet.ready()
	}
	if s.broken.Load() {
		return errors.New("the spool could not write its last record; the log has the reason")
	}
	return nil
}
