package people

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// askTimeout bounds a question that a delivery waits for.
	askTimeout = 5 * time.Second
	// restAfterFailure is how long nobody asks again, so that deliveries do not
	// wait for each other's timeouts while Postgres is away.
	restAfterFailure = 2 * time.Second
	// maxIDBytes bounds what is looked up by index, as in delivery reports.
	// Nobody has real ids of this length; they are not linked.
	maxIDBytes = 1024
)

// database asks Postgres, and rests after a failure.
type database struct {
	pool *pgxpool.Pool
	now  func() time.Time

	mu     sync.Mutex
	failed error
	until  time.Time
}

func openDatabase(url string, now func() time.Time) (*database, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	// Without prepared statements a connection pooler may sit in between.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.ConnConfig.RuntimeParams["client_encoding"] = "UTF8"
	config.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, err
	}
	return &database{pool: pool, now: now}, nil
}

// ask runs a question with a time limit, or returns the last failure while the
// database rests.
func (d *database) ask(ctx context.Context, question func(context.Context) error) error {
	d.mu.Lock()
	failed, resting := d.failed, d.now().Before(d.until)
	d.mu.Unlock()
	if resting {
		return failed
	}
	bounded, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err := question(bounded)
	if err != nil && ctx.Err() == nil {
		d.mu.Lock()
		d.failed, d.until = err, d.now().Add(restAfterFailure)
		d.mu.Unlock()
	}
	return err
}

// query collects the rows of a select, within ask.
func query[T any](ctx context.Context, d *database, read pgx.RowToFunc[T], sql string, args ...any) (list []T, err error) {
	err = d.ask(ctx, func(ctx context.Context) error {
		rows, err := d.pool.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, read)
		return err
	})
	return list, err
}

// exec runs a statement, within ask.
func (d *database) exec(ctx context.Context, sql string, args ...any) error {
	return d.ask(ctx, func(ctx context.Context) error {
		_, err := d.pool.Exec(ctx, sql, args...)
		return err
	})
}

// clean makes a text one that Postgres can keep.
func clean(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
}

// wrap says what was being done when an error occurred.
func wrap(act string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", act, err)
}
