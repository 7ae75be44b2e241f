package story

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// readTimeout bounds one question. Whoever waits in front of a screen has
	// given up by then.
	readTimeout = 10 * time.Second
	// maxConnections leaves the database to those who deliver.
	maxConnections = 4
)

// Source is a source of events, as the settings have it.
type Source struct {
	// Name is its name in the settings.
	Name string
	// Schema is the Postgres schema of its tables. Defaults to Name.
	Schema string
	// Vero says that its events are what Vero reports of emails.
	Vero bool
	// Browser says that everybody can read its write keys.
	Browser bool
	// Destinations are those that its events go to, beside the warehouse.
	Destinations []string
}

// Options say where to look.
type Options struct {
	// URL is the database: postgres://user:password@host:port/name. Required.
	URL string
	// Sources are those in the settings. Events of others are found by their
	// deliveries alone.
	Sources []Source
	// Erased says whether whoever has an id was erased. Defaults to nobody.
	Erased func(id string) bool
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Store reads what happened. It is safe for concurrent use.
type Store struct {
	pool    *pgxpool.Pool
	sources []Source
	erased  func(id string) bool // nil: nobody was
	now     func() time.Time

	emails   *snapshots[[]CampaignDay]
	discards *snapshots[[]Discard]
	stop     context.CancelFunc // what the snapshots ask
}

// Open makes a Store. It does not connect: the database may be down, and then
// each question says so.
func Open(o Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("open story: %w", err)
	}
	// Without prepared statements a connection pooler may sit in between.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.ConnConfig.RuntimeParams["client_encoding"] = "UTF8"
	config.MaxConns = maxConnections
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("open story: %w", err)
	}
	s := &Store{pool: pool, erased: o.Erased, now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	for _, source := range o.Sources {
		source.Schema = cmp.Or(source.Schema, source.Name)
		s.sources = append(s.sources, source)
	}
	closing, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.emails = &snapshots[[]CampaignDay]{ask: s.readEmails, now: s.now, closing: closing}
	s.discards = &snapshots[[]Discard]{ask: s.readDiscards, now: s.now, closing: closing}
	return s, nil
}

// Close ends what is being asked, and all connections.
func (s *Store) Close() {
	s.stop()
	s.pool.Close()
}

// read answers a question in one read-only transaction, which sees one state of
// the database from its first statement to its last.
func (s *Store) read(ctx context.Context, question func(ctx context.Context, tx pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, s.pool, options, func(tx pgx.Tx) error { return question(ctx, tx) })
}
