package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// backlog is how many events are loaded in one turn, and paced how many come
	// in each second where freshness is measured.
	backlog = 40_000
	paced   = 2000
	// loadedTables is how many rows each event makes.
	loadedTables = 2
)

// measureWarehouse measures how fast a backlog becomes rows, and how soon a row
// is there when events come in steadily.
func (r *run) measureWarehouse(ctx context.Context) (err error) {
	w, err := r.newWorld(ctx, "warehouse", false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.awaitTables(ctx); err != nil {
		return err
	}
	row, err := w.measureLoad(ctx)
	if err != nil {
		return err
	}
	r.add(row)
	row, err = w.measureFreshness(ctx)
	if err != nil {
		return err
	}
	r.add(row)
	return nil
}

// measureLoad loads backlogs in turns with COPY of the same rows.
func (w *world) measureLoad(ctx context.Context) (Row, error) {
	events := w.events(backlog)
	row := Row{
		Section: "warehouse", What: fmt.Sprintf("rows of a backlog of %s events", grouped(events)), Unit: "rows/s",
		Note: "the bridge writes a report on each event besides",
	}
	var ours, theirs float64
	w.memory = 0
	for round := range rounds {
		run := fmt.Sprintf("load-%d-", round)
		if err := w.shutPostgres(ctx); err != nil {
			return row, err
		}
		if err := w.fill(ctx, w.load(run, 4, 100), events); err != nil {
			return row, err
		}
		if err := w.openPostgres(ctx); err != nil {
			return row, err
		}
		perSecond, err := w.drained(ctx, events, w.settled(warehouseName))
		if err != nil {
			return row, err
		}
		ours += perSecond * loadedTables / rounds
		u, err := w.usage(ctx)
		if err != nil {
			return row, err
		}
		row.CPU += u.cpu / float64(events) * 1000 / rounds
		if perSecond, err = w.copyLimit(ctx, run); err != nil {
			return row, err
		}
		theirs += perSecond / rounds
	}
	row.Value, row.Memory = ours, w.memory
	row.limit("COPY of the same rows", theirs)
	return row, nil
}

// copyLimit copies the rows of a run, ready in memory, into copies of their
// tables with all indexes, in one transaction.
func (w *world) copyLimit(ctx context.Context, run string) (perSecond float64, err error) {
	conn, err := pgx.Connect(ctx, w.database.Superuser)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var (
		rows  int64
		ready = make(map[string]*bytes.Buffer)
	)
	for _, table := range []string{"tracks", eventTable} {
		if _, err := conn.Exec(ctx, fmt.Sprintf("drop table if exists public.%[1]s; create table public.%[1]s (like app.%[1]s including all)", table)); err != nil {
			return 0, err
		}
		ready[table] = new(bytes.Buffer)
		tag, err := conn.PgConn().CopyTo(ctx, ready[table], fmt.Sprintf("copy (select * from app.%s where id like '%s%%') to stdout (format binary)", table, run))
		if err != nil {
			return 0, err
		}
		rows += tag.RowsAffected()
	}
	began := time.Now()
	if _, err := conn.Exec(ctx, "begin"); err != nil {
		return 0, err
	}
	for table, bytes := range ready {
		if _, err := conn.PgConn().CopyFrom(ctx, bytes, "copy public."+table+" from stdin (format binary)"); err != nil {
			return 0, err
		}
	}
	if _, err := conn.Exec(ctx, "commit"); err != nil {
		return 0, err
	}
	return float64(rows) / time.Since(began).Seconds(), nil
}

// measureFreshness measures how soon a row can be selected.
func (w *world) measureFreshness(ctx context.Context) (Row, error) {
	p, s, err := w.steadily(ctx, "fresh", paced, w.options.Duration)
	if err != nil {
		return Row{}, err
	}
	row := Row{
		Section: "warehouse", What: "from the answer until the row is there", Value: s.rate(), Unit: "events/s", Failed: s.Failed,
		Note: "batches of 20 at a steady pace",
	}
	row.wait(p.freshness())
	return row, nil
}

// steadily sends a load at a pace and probes meanwhile.
func (w *world) steadily(ctx context.Context, run string, perSecond float64, d time.Duration) (*prober, sent, error) {
	type generated struct {
		sent sent
		err  error
	}
	l := w.load(run+"-", 8, 20)
	l.Rate, l.Duration = perSecond, d
	end := make(chan generated, 1)
	go func() {
		s, err := w.generate(ctx, l)
		end <- generated{s, err}
	}()
	p, err := w.probe(ctx, run, d)
	g := <-end
	return p, g.sent, errors.Join(err, g.err)
}
