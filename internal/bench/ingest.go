package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// shapes are the loads that ingest is measured with.
var shapes = []struct{ connections, batch int }{{1, 1}, {16, 1}, {64, 1}, {256, 1}, {1, 100}, {4, 100}, {16, 100}}

// rounds is how often a measurement and its limits take turns.
const rounds = 3

func shapeName(connections, batch int) string {
	what, where := "single events", "connections"
	if batch > 1 {
		what = fmt.Sprintf("batches of %d", batch)
	}
	if connections == 1 {
		where = "connection"
	}
	return fmt.Sprintf("%s, %d %s", what, connections, where)
}

// measureIngest measures how fast events are accepted, that is, synced to disk,
// while Postgres is away, so that nothing else goes on.
func (r *run) measureIngest(ctx context.Context) (err error) {
	w, err := r.newWorld(ctx, "ingest", false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.shutPostgres(ctx); err != nil {
		return err
	}
	bare, err := r.startBare(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	for n, shape := range shapes {
		l := w.load(fmt.Sprintf("ingest-%d-", n), shape.connections, shape.batch)
		row, err := w.measureShape(ctx, l, bare)
		if err != nil {
			return err
		}
		r.add(row)
	}
	return nil
}

// measureShape measures one load, in turns with the bare server and the disk.
func (w *world) measureShape(ctx context.Context, l load, bare *bareServer) (Row, error) {
	row := Row{Section: "ingest", What: shapeName(l.Connections, l.Batch), Unit: "events/s"}
	l.Duration = w.options.Duration / rounds
	target, err := url.Parse(l.URL)
	if err != nil {
		return row, err
	}
	request := newRequest(l, target)
	var (
		ours, theirs sent
		spent        usage
		disk         float64
	)
	w.memory = 0
	for round := range rounds {
		before, err := w.usage(ctx)
		if err != nil {
			return row, err
		}
		mine := l
		mine.Run = fmt.Sprintf("%s%d-", l.Run, round)
		s, err := w.generate(ctx, mine)
		if err != nil {
			return row, err
		}
		ours.add(s)
		after, err := w.usage(ctx)
		if err != nil {
			return row, err
		}
		spent.cpu += after.cpu - before.cpu
		spent.events += after.events - before.events
		spent.records += after.records - before.records

		mine.URL = bare.url
		if s, err = w.generate(ctx, mine); err != nil {
			return row, err
		}
		theirs.add(s)
		perSecond, err := diskLimit(w.dir, l, request.bytes[request.body:], l.Duration/2)
		if err != nil {
			return row, err
		}
		disk += perSecond / rounds
	}
	row.Value, row.Failed, row.Memory = ours.rate(), ours.Failed, w.memory
	row.wait(ours.Waits)
	row.CPU = spent.cpu / spent.events * 1000
	row.EventsPerSync = spent.events / spent.records
	row.limit("a bare server", theirs.rate())
	row.limit("append and sync", disk)
	return row, nil
}

// measureElsewhere measures a bridge that runs already. What it takes to do so
// is its own affair.
func (r *run) measureElsewhere(ctx context.Context) error {
	for n, shape := range shapes {
		s, err := r.generate(ctx, load{
			URL: r.options.URL, Key: r.options.WriteKey, Run: fmt.Sprintf("bench-%x-%d-", r.report.At.UnixMilli(), n),
			Connections: shape.connections, Batch: shape.batch, Duration: r.options.Duration,
		})
		if err != nil {
			return err
		}
		row := Row{Section: "ingest", What: shapeName(shape.connections, shape.batch), Value: s.rate(), Unit: "events/s", Failed: s.Failed}
		row.wait(s.Waits)
		r.add(row)
	}
	return nil
}
