package people

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/verobridge/verobridge/internal/delivery"
)

// Options say where people are remembered.
type Options struct {
	// URL is the database: postgres://user:password@host:port/name. Required.
	URL string
	// Dir is where a copy of who was erased is kept, for a start without
	// Postgres. Required.
	Dir string
	// Prepare makes the tables. It is called each time before they are read.
	// Defaults to nothing: they are there.
	Prepare func(context.Context) error
	// Refresh is how often it is read who was erased, for a program beside this one
	// may have added to it. Defaults to a minute.
	Refresh time.Duration
	// Logger defaults to none.
	Logger *slog.Logger
	// Registerer takes the metrics. Defaults to none.
	Registerer prometheus.Registerer
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// People knows who events are about. It is safe for concurrent use.
type People struct {
	db           *database
	prepare      func(context.Context) error
	every        time.Duration // of refreshing
	suppressions *Suppressions
	metrics      *metrics
	log          *slog.Logger
	now          func() time.Time

	// delivering is held for reading by every delivery, and for writing while
	// somebody is suppressed: what is delivered later knows of it.
	delivering sync.RWMutex
	mu         sync.Mutex
	recorders  []*Recorder
	resolvers  []*Resolver
}

// Open makes People. It does not connect: the database may be down.
func Open(o Options) (*People, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Refresh = cmp.Or(o.Refresh, time.Minute)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	db, err := openDatabase(o.URL, o.Now)
	if err != nil {
		return nil, fmt.Errorf("open people: %w", err)
	}
	p := &People{db: db, prepare: o.Prepare, every: o.Refresh, log: o.Logger, now: o.Now}
	if p.suppressions, err = openSuppressions(db, filepath.Join(o.Dir, "suppressions.json")); err != nil {
		db.pool.Close()
		return nil, fmt.Errorf("open people: %w", err)
	}
	p.metrics = newMetrics(o.Registerer, p)
	return p, nil
}

// Close ends all connections. Deliveries and Run must have returned.
func (p *People) Close() {
	p.metrics.unregister()
	p.db.pool.Close()
}

// The wait after a failure doubles from one to the other.
const leastRefresh, mostRefresh = 250 * time.Millisecond, 5 * time.Second

// Run reads who was erased, again and again, until ctx ends.
func (p *People) Run(ctx context.Context) {
	wait := leastRefresh
	for warned := false; ctx.Err() == nil; {
		err := p.read(ctx)
		if err != nil && ctx.Err() == nil && !warned && !p.suppressions.Known() {
			p.log.Warn("it is not known who was erased; deliveries wait until the warehouse has been reached", "error", err)
			warned = true
		}
		next := p.every
		if err != nil {
			next = wait
			wait = min(2*wait, mostRefresh)
		}
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

func (p *People) read(ctx context.Context) error {
	if p.prepare != nil {
		if err := p.prepare(ctx); err != nil {
			return err
		}
	}
	return p.suppressions.refresh(ctx)
}

// Suppressions are the people who were erased.
func (p *People) Suppressions() *Suppressions { return p.suppressions }

// Reported takes note that reports are written to verobridge.deliveries: what
// was held and is done with has no row any more.
func (p *People) Reported(reports []delivery.Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.resolvers {
		r.held.reported(reports)
	}
}
