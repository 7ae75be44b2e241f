package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the database/sql driver that goose needs
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed *.sql
var files embed.FS

// versionTable is where goose keeps the list of the migrations applied.
const versionTable = "verobridge.goose_db_version"

// lockID names verobridge's advisory lock among those of a database ("vbmg").
const lockID = 0x76626d67

// tables are verobridge's own, views among them, as all migrations together leave
// them.
var tables = []string{
	"deliveries", "rejected_events", "loads",
	"identities", "held_events", "suppressions", "suppression_salt", "erasures", "imports",
	"destinations", "sources", "routes", "refusals", "unaccounted",
}

// Migration is one numbered change of verobridge's own tables.
type Migration struct {
	// Version is its number, and the order of application.
	Version int64
	// Name is its file's name.
	Name string
	// AppliedAt is when it was applied to this database, zero if it was not.
	AppliedAt time.Time
}

// Up applies what is missing to the database at url and returns what it
// applied, nothing if all was there. Where somebody dropped one of the tables
// all migrations count as missing. It is safe to be called by several programs
// at once, and again after an error.
func Up(ctx context.Context, url string) ([]Migration, error) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	defer func() { _ = db.Close() }()
	if err := createSchema(ctx, db); err != nil {
		return nil, fmt.Errorf("create schema verobridge: %w", err)
	}
	if err := forgetIfDropped(ctx, db); err != nil {
		return nil, fmt.Errorf("look for dropped tables: %w", err)
	}
	p, err := newProvider(db)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	results, err := p.Up(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	applied := make([]Migration, len(results))
	for i, r := range results {
		applied[i] = Migration{Version: r.Source.Version, Name: r.Source.Path, AppliedAt: time.Now().UTC()}
	}
	return applied, nil
}

// Status lists all migrations, oldest first, and when each was applied to the
// database at url. It changes nothing.
func Status(ctx context.Context, url string) ([]Migration, error) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	defer func() { _ = db.Close() }()
	p, err := newProvider(db)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	sources := p.ListSources()
	list := make([]Migration, len(sources))
	for i, s := range sources {
		list[i] = Migration{Version: s.Version, Name: s.Path}
	}
	// goose makes its table when it is asked for the state, so it is not asked
	// where there is none.
	started, err := isStarted(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	if !started {
		return list, nil
	}
	states, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	for i, s := range states {
		list[i].AppliedAt = s.AppliedAt
	}
	return list, nil
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	const waitSeconds, waits = 1, 60
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID), lock.WithLockTimeout(waitSeconds, waits))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(versionTable),
		goose.WithSessionLocker(locker),
		goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()))
}

// forgetIfDropped makes goose forget what it applied if the last migration was
// applied and a table is missing all the same. Each migration leaves alone what
// is there, so to apply all of them again makes what is not.
func forgetIfDropped(ctx context.Context, db *sql.DB) error {
	started, err := isStarted(ctx, db)
	if err != nil || !started {
		return err
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `
		delete from `+versionTable+` where version_id > 0
		and (select count(*) from `+versionTable+` where version_id > 0 and is_applied) = $1
		and exists (select from unnest($2::text[]) name where to_regclass('verobridge.' || name) is null)`,
		len(names), tables)
	return err
}

// isStarted says whether goose has its table.
func isStarted(ctx context.Context, db *sql.DB) (started bool, err error) {
	err = db.QueryRowContext(ctx, "select to_regclass($1) is not null", versionTable).Scan(&started)
	return started, err
}

// createSchema makes room for goose's own table. It looks first, because
// "create schema if not exists" asks for the right to create even if there is
// nothing to do.
func createSchema(ctx context.Context, db *sql.DB) error {
	var exists bool
	err := db.QueryRowContext(ctx, "select exists (select from pg_namespace where nspname = 'verobridge')").Scan(&exists)
	if err != nil || exists {
		return err
	}
	_, err = db.ExecContext(ctx, "create schema if not exists verobridge")
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "23505" {
		return nil // unique_violation in pg_namespace: another program was faster
	}
	return err
}
