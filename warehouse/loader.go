package warehouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/migrations"
)

// Source is a source as the warehouse sees it.
type Source struct {
	// Name is the source's name in the settings. Its snake case is the schema.
	Name string
	// Vero says that email events come from it: its schema has the tables of
	// Segment's Vero source from the start, another's those of product events.
	Vero bool
}

// Options says where the warehouse is and what it holds.
type Options struct {
	// URL is the database: postgres://user:password@host:port/name. Required.
	URL string
	// Sources get their schema and tables before the first event. Defaults to
	// none; a source that is not listed gets its schema when its first event
	// arrives.
	Sources []Source
	// Readers are database roles that may select from all schemas of sources,
	// tables made later included. Defaults to none.
	Readers []string
	// Mode says whose warehouses the schemas look like. Defaults to ModeSegment.
	Mode Mode
	// MaxColumns is how many columns a table gets before further values go to
	// its column _overflow. Tables that have more already keep them. Defaults to
	// 300, of which Postgres can store a row whatever is in it.
	MaxColumns int
	// Connections is how many schemas of sources may be loaded at the same time.
	// Defaults to the number of processors.
	Connections int
	// LockTimeout is how long a statement waits for a lock that somebody else
	// holds on a table, before the table's events are put off. Defaults to 1 s.
	LockTimeout time.Duration
	// LockPause is how long a locked table is left alone then. Defaults to 5 s.
	LockPause time.Duration
	// LoadTimeout is how long a transaction may take before its events are tried
	// again in smaller ones. An event that takes longer alone is put off. Defaults
	// to 10 s.
	LoadTimeout time.Duration
	// Budget is how long a delivery begins new transactions; further events have
	// to wait for the next one. Defaults to 20 s.
	Budget time.Duration
	// Logger takes what operators should know. Defaults to a logger that
	// discards.
	Logger *slog.Logger
	// Registerer takes the metrics. Defaults to none.
	Registerer prometheus.Registerer
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Loader writes events into Postgres. It is a delivery.Destination.
type Loader struct {
	url                                 string
	sources                             []Source
	readers                             []string
	shape                               *shape
	maxColumns                          int
	lockTimeout, lockPause, loadTimeout time.Duration
	budget                              time.Duration
	logger                              *slog.Logger
	metrics                             *metrics
	now                                 func() time.Time
	pool                                *pgxpool.Pool

	prepared *atomic.Bool
	// waryReports is how many more times many reports are upserted, not copied.
	waryReports atomic.Int32
	others      []*Loader // those that serve other sources on connections of their own

	mu      sync.Mutex // held while tables are made and rows are loaded
	catalog catalog
	locked  map[table]lock
	pace    pace
	wary    int // loads that look for known ids first
	mapper  *mapper
	// Memory of the chunk that is loaded and of the next one, and of its rows that
	// are copied and of the next ones.
	memories [2]memory
	bufs     [2][]byte
}

// prepareTimeout is how long Deliver waits for migrations and for other loaders
// that prepare the same database.
const prepareTimeout = time.Minute

// Open makes a loader. It does not connect: the database may be down, and
// events wait until it is there. An error means that the options are wrong.
func Open(_ context.Context, o Options) (*Loader, error) {
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("open warehouse: %w", err)
	}
	shape, ok := shapes[o.Mode]
	if !ok {
		return nil, fmt.Errorf("open warehouse: the mode must be %s or %s, not %q", ModeSegment, ModeRudderStack, o.Mode)
	}
	bySchema := make(map[string]string, len(o.Sources))
	for _, s := range o.Sources {
		schema := schemaName(s.Name)
		if other, taken := bySchema[schema]; taken {
			return nil, fmt.Errorf("open warehouse: sources %q and %q would share the schema %s; rename one", other, s.Name, schema)
		}
		bySchema[schema] = s.Name
	}
	// Statements differ from batch to batch, so there is nothing to prepare;
	// and without prepared statements a connection pooler may sit in between.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	parameters := config.ConnConfig.RuntimeParams
	parameters["client_encoding"] = "UTF8"
	parameters["application_name"] = cmp.Or(parameters["application_name"], "verobridge")
	connections := min(cmp.Or(o.Connections, runtime.GOMAXPROCS(0)), len(o.Sources))
	const besides = 2 // for reports and for who asks whether we are ready
	config.MaxConns = max(config.MaxConns, int32(connections+besides))
	// The pool outlives the context of opening.
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("open warehouse: %w", err)
	}
	l := &Loader{
		url: o.URL, sources: o.Sources, readers: o.Readers,
		shape:       shape,
		maxColumns:  cmp.Or(o.MaxColumns, DefaultMaxColumns),
		lockTimeout: cmp.Or(o.LockTimeout, time.Second),
		lockPause:   cmp.Or(o.LockPause, 5*time.Second),
		loadTimeout: cmp.Or(o.LoadTimeout, 10*time.Second),
		budget:      cmp.Or(o.Budget, 20*time.Second),
		pace:        pace{width: largestChunk},
		logger:      o.Logger, metrics: newMetrics(o.Registerer, bySchema), now: o.Now, pool: pool,
		prepared: new(atomic.Bool),
		locked:   make(map[table]lock),
		mapper:   newMapper(shape),
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.catalog.forget()
	for range connections - 1 {
		l.others = append(l.others, l.beside())
	}
	return l, nil
}

// Name implements delivery.Destination.
func (l *Loader) Name() string { return "warehouse" }

// Close ends all connections. Deliver must have returned.
func (l *Loader) Close() { l.pool.Close() }

// Ready returns nil if events can be loaded now: the database answers and its
// tables were prepared.
func (l *Loader) Ready(ctx context.Context) error {
	if !l.prepared.Load() {
		return errors.New("the warehouse is not prepared yet")
	}
	if err := l.pool.Ping(ctx); err != nil {
		return fmt.Errorf("reach warehouse: %w", err)
	}
	return nil
}

// Prepare makes what must exist before the first event: verobridge's own
// tables, the schemas and tables of the sources, the readers' rights. It does
// its work once; after an error it may be called again, and Deliver does so.
func (l *Loader) Prepare(ctx context.Context) error {
	if l.prepared.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.prepare(ctx)
}

func (l *Loader) prepare(ctx context.Context) (err error) {
	if l.prepared.Load() {
		return nil
	}
	defer func() {
		if err != nil {
			l.catalog.forget()
			err = fmt.Errorf("prepare warehouse: %w", err)
		}
	}()
	release, err := l.prepareAlone(ctx)
	if err != nil {
		return err
	}
	defer release()
	applied, err := migrations.Up(ctx, l.url)
	if err != nil {
		return err
	}
	for _, m := range applied {
		l.logger.InfoContext(ctx, "migration applied", "migration", m.Name)
	}
	for _, s := range l.sources {
		schema := schemaName(s.Name)
		exists, err := l.catalog.read(ctx, l.pool, schema)
		if err != nil {
			return err
		}
		for name, standard := range l.shape.tablesOf(s) {
			err := l.evolve(ctx, table{schema, name}, need{source: s, standard: standard})
			if err := l.passOver(ctx, err, "a table cannot be prepared; its events wait or are refused until it is as it should be", schema); err != nil {
				return err
			}
		}
		err = l.createIndexes(ctx, s)
		if err := l.passOver(ctx, err, "an index cannot be made; looking people up is slow without it", schema); err != nil {
			return err
		}
		if exists { // a new schema has its grants from its making
			err := l.grant(ctx, schema)
			if err := l.passOver(ctx, err, "readers may not read all of a schema; grant it to them, or start again with the right to", schema); err != nil {
				return err
			}
		}
	}
	// Nobody should wait for rows because somebody reads a view.
	if err := l.createViews(ctx); err != nil {
		l.logger.WarnContext(ctx, "the views in email_analytics are not up to date; they are made at the next start", "error", err)
	}
	l.prepared.Store(true)
	return nil
}

// passOver logs an error of a part of the warehouse, such as a view in a table's
// place: the events of that part will meet it themselves. It returns one of the
// database as a whole.
func (l *Loader) passOver(ctx context.Context, err error, what, schema string) error {
	if err == nil || isDown(err) {
		return err
	}
	l.logger.WarnContext(ctx, what, "schema", schema, "error", err)
	return nil
}

// prepareLock is the advisory lock of Prepare ("vbpr").
const prepareLock = 0x76627072

// prepareAlone waits until no other loader prepares the same database: each
// finds what the one before it made.
func (l *Loader) prepareAlone(ctx context.Context) (release func(), err error) {
	conn, err := pgx.ConnectConfig(ctx, l.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	release = func() { _ = conn.Close(context.WithoutCancel(ctx)) } // and with it the lock
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", prepareLock); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// source returns the source of a name.
func (l *Loader) source(name string) Source {
	for _, s := range l.sources {
		if s.Name == name {
			return s
		}
	}
	return Source{Name: name}
}

// deliver is Deliver on one connection.
func (l *Loader) deliver(ctx context.Context, batch []event.Event) []delivery.Outcome {
	l.mu.Lock()
	defer l.mu.Unlock()

	outcomes := make([]delivery.Outcome, len(batch))
	preparing, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	if err := l.prepare(preparing); err != nil {
		reason := delivery.ReasonServerError
		if j := judge(err); j.verdict == verdictUnavailable || j.verdict == verdictSlow {
			reason = j.reason
		}
		for i := range outcomes {
			outcomes[i] = delivery.Unavailable(reason, err, 0)
		}
		return outcomes
	}
	start := l.now()
	turn, end := context.WithTimeout(ctx, l.budget)
	defer end()
	var down delivery.Outcome
	begun := false
	for c := range l.mapAhead(batch, outcomes) {
		for items, parts := c.items, c.parts; len(items) > 0; items, parts = undecided(items), nil {
			switch {
			case down.Unavailable():
				settle(items, down)
			case begun && turn.Err() != nil:
				settle(items, delivery.Behind())
			default:
				begun = true
				some := items
				if len(some) > l.pace.width {
					some, parts = items[:l.pace.width], nil
				}
				l.load(ctx, some, parts, firstTry)
				for _, it := range some {
					if it.outcome.Unavailable() {
						down = *it.outcome
					}
				}
			}
		}
	}
	l.metrics.load.Observe(l.now().Sub(start).Seconds())
	return outcomes
}
