package retention

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// Options say how long rows are kept.
type Options struct {
	// URL is the database: postgres://user:password@host:port/name. Required.
	URL string
	// Keep is how long rows are kept from the receipt of their event. Required.
	Keep time.Duration
	// Prepare makes the tables. It is called before they are looked at. Defaults
	// to nothing: they are there.
	Prepare func(context.Context) error
	// OldestLetter returns when the oldest event was received that is kept as a dead
	// letter, the zero time if there is none. Defaults to none.
	OldestLetter func(context.Context) (time.Time, error)
	// Every is the time between two looks at all tables. Defaults to an hour.
	Every time.Duration
	// Batch is about how many rows one statement deletes. Defaults to 2,000.
	Batch int
	// Logger defaults to none.
	Logger *slog.Logger
	// Registerer takes the metrics. Defaults to none.
	Registerer prometheus.Registerer
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Retention deletes old rows.
type Retention struct {
	o       Options
	config  *pgx.ConnConfig
	deleted *prometheus.CounterVec
}

// Open makes a Retention. It does not connect. An error means that the options are
// wrong.
func Open(o Options) (*Retention, error) {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("open retention: %w", err)
	}
	if o.Keep <= 0 {
		return nil, errors.New("open retention: the time to keep rows is missing")
	}
	o.Every = cmp.Or(o.Every, time.Hour)
	o.Batch = cmp.Or(o.Batch, 2000)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	// A deletion that takes longer holds locks, or rows back from vacuum, for longer
	// than it is worth.
	config.RuntimeParams["statement_timeout"] = "30s"
	config.RuntimeParams["application_name"] = "verobridge retention"
	r := &Retention{o: o, config: config, deleted: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "verobridge_retention_deleted_rows_total",
		Help: "Rows of verobridge's own tables that were deleted because they were old.",
	}, []string{"table"})}
	for _, t := range tables {
		r.deleted.WithLabelValues(t.name)
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(r.deleted); err != nil {
			return nil, fmt.Errorf("open retention: %w", err)
		}
	}
	return r, nil
}

// Run deletes what is old, now and then, until ctx ends.
func (r *Retention) Run(ctx context.Context) {
	if r.o.Registerer != nil {
		defer r.o.Registerer.Unregister(r.deleted)
	}
	ticker := time.NewTicker(r.o.Every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		switch n, err := r.Expire(ctx); {
		case err != nil && ctx.Err() == nil:
			r.o.Logger.Warn("old rows could not be deleted; trying again later", "error", err, "deleted", n)
		case n > 0:
			r.o.Logger.Info("deleted old rows of verobridge's own tables", "rows", n)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// Expire deletes what is old now and returns how many rows those were.
func (r *Retention) Expire(ctx context.Context) (int64, error) {
	if r.o.Prepare != nil {
		if err := r.o.Prepare(ctx); err != nil {
			return 0, fmt.Errorf("delete old rows: %w", err)
		}
	}
	before := r.o.Now().Add(-r.o.Keep)
	letters := before // of older events no letter is kept
	if r.o.OldestLetter != nil {
		switch oldest, err := r.o.OldestLetter(ctx); {
		case err != nil:
			return 0, fmt.Errorf("delete old rows: %w", err)
		case !oldest.IsZero():
			letters = oldest
		}
	}
	conn, err := pgx.ConnectConfig(ctx, r.config)
	if err != nil {
		return 0, fmt.Errorf("delete old rows: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var all int64
	for _, t := range tables {
		n, err := r.expire(ctx, conn, t, before, letters)
		all += n
		if err != nil {
			return all, fmt.Errorf("delete old rows of %s: %w", t.name, err)
		}
	}
	return all, nil
}

// rest is how long Postgres is left alone after a deletion, as a multiple of the
// time that it took: what comes in has the better part of it.
const rest = 4

// expire walks through the old rows of a table by time, a span after the other.
// What stays in a span is not looked at again.
func (r *Retention) expire(ctx context.Context, conn *pgx.Conn, t table, before, letters time.Time) (int64, error) {
	var all int64
	var from time.Time
	for from.Before(before) {
		started := time.Now()
		to, err := r.spanEnd(ctx, conn, t, from, before)
		if err != nil {
			return all, err
		}
		args := []any{from, to}
		if t.whole {
			args = append(args, before, letters)
		}
		deleted, err := conn.Exec(ctx, t.deletion, args...)
		if err != nil {
			return all, err
		}
		all += deleted.RowsAffected()
		r.deleted.WithLabelValues(t.name).Add(float64(deleted.RowsAffected()))
		if from = to; from.Before(before) {
			if err := pause(ctx, rest*time.Since(started)); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

// resolution is that of Postgres's clock.
const resolution = time.Microsecond

// spanEnd returns the end of a span, from a time on, of about one batch of rows.
func (r *Retention) spanEnd(ctx context.Context, conn *pgx.Conn, t table, from, before time.Time) (time.Time, error) {
	var end time.Time
	err := conn.QueryRow(ctx, t.next, from, before, r.o.Batch).Scan(&end)
	if errors.Is(err, pgx.ErrNoRows) {
		return before, nil
	}
	if err == nil && !end.After(from) {
		end = from.Add(resolution) // more than a batch of one time
	}
	return end, err
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
