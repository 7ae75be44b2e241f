package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// size is how much there is of what a bridge may be large with.
type size struct{ events, tables, people int }

// measureGrowth measures a backlog, and then 10 times of each thing that may grow
// by itself.
func (r *run) measureGrowth(ctx context.Context) error {
	base := size{events: r.events(4000), tables: 10, people: 1000}
	for n, c := range []struct {
		what string
		of   size
	}{
		{"", base},
		{"10 times the backlog", size{10 * base.events, base.tables, base.people}},
		{"10 times the tables", size{base.events, 10 * base.tables, base.people}},
		{"10 times the people", size{base.events, base.tables, 10 * base.people}},
	} {
		if c.what == "" {
			c.what = fmt.Sprintf("%s events, %d tables, %s people", grouped(base.events), base.tables, grouped(base.people))
		}
		row, err := r.measureSize(ctx, fmt.Sprintf("growth-%d", n), c.of)
		if err != nil {
			return err
		}
		row.What = c.what
		r.add(row)
	}
	return nil
}

// measureSize starts a bridge on a backlog and measures until it is all done.
func (r *run) measureSize(ctx context.Context, name string, of size) (row Row, err error) {
	row = Row{Section: "growth", Unit: "events/s"}
	w, err := r.newWorld(ctx, name, true)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.shutPostgres(ctx); err != nil {
		return row, err
	}
	l := w.load(name+"-", 4, 100)
	l.People, l.Names = of.people, of.tables
	if err := w.fill(ctx, l, of.events); err != nil {
		return row, err
	}
	w.memory = 0
	began := time.Now()
	if err := w.openPostgres(ctx); err != nil {
		return row, err
	}
	started := time.Since(began)
	for _, destination := range w.destinations(true) {
		for done, gotOn, last := 0, time.Now(), 0; done < of.events; pause(ctx, 10*time.Millisecond) {
			if done, err = w.settled(destination)(ctx); err != nil {
				return row, err
			}
			if done > last {
				gotOn, last = time.Now(), done
			}
			if time.Since(gotOn) > patience {
				return row, fmt.Errorf("%s stays at %d of %d; what the bridge says is in %s", destination, done, of.events, w.bridge.Log.Name())
			}
		}
	}
	u, err := w.usage(ctx)
	if err != nil {
		return row, err
	}
	row.Value = float64(of.events) / (time.Since(began) - started).Seconds()
	row.CPU, row.Memory = u.cpu/float64(of.events)*1000, w.memory
	row.Note = fmt.Sprintf("restarted in %d ms, rows and calls done after %.1f s", started.Milliseconds(), time.Since(began).Seconds())
	return row, nil
}
