package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

const (
	// freshEnough is how soon rows have to be there, for all but one in a hundred,
	// if a rate is to count as kept up with.
	freshEnough = time.Second
	// leastRate is where the search for the highest rate begins, with steps of this
	// many times the duration of a measurement.
	leastRate = 1000
	steps     = 2
	// bisections is how often the search halves what is between a rate that can be
	// kept up with and one that cannot, of a factor of 2: to 9 %.
	bisections = 3
	// holds is for how many times the duration of a measurement the rate found has
	// to be held up; less is how much less is tried where it is not.
	holds = 10
	less  = 0.8
)

// measureAll looks for the highest rate at which everything keeps up.
func (r *run) measureAll(ctx context.Context) error {
	for _, c := range []struct {
		name, what string
		withVero   bool
	}{
		{"rows", "ingest, two rows and a report on each event", false},
		{"calls", "the same, a call to Vero and a report on it", true},
	} {
		row, err := r.measureSustained(ctx, c.name, c.withVero)
		if err != nil {
			return err
		}
		row.What = c.what
		r.add(row)
	}
	return nil
}

func (r *run) measureSustained(ctx context.Context, name string, withVero bool) (row Row, err error) {
	w, err := r.newWorld(ctx, "all-"+name, withVero)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.awaitTables(ctx); err != nil {
		return row, err
	}
	step := func(perSecond float64, d time.Duration) (bool, error) {
		row, err = w.sustain(ctx, perSecond, d, withVero)
		r.say("all: %s: %s/s for %s: %s", name, grouped(int(perSecond)), d, row.Note)
		return row.Note == keptUp, err
	}
	length := steps * r.options.Duration
	low, high := 0.0, float64(leastRate)
	for {
		ok, err := step(high, length)
		if err != nil {
			return row, err
		}
		if !ok {
			break
		}
		low, high = high, high*2
	}
	for range bisections {
		middle := math.Sqrt(max(low, leastRate/4) * high)
		ok, err := step(middle, length)
		if err != nil {
			return row, err
		}
		if ok {
			low = middle
		} else {
			high = middle
		}
	}
	// What can be kept up for a moment is not always kept up for long.
	for rate := max(low, leastRate/4); ; rate *= less {
		ok, err := step(rate, holds*r.options.Duration)
		if err != nil {
			return row, err
		}
		if ok {
			row.Note = fmt.Sprintf("held up for %s", holds*r.options.Duration)
			return row, nil
		}
		if rate < leastRate/8 {
			row.Note = "nothing is kept up with: " + row.Note
			return row, nil
		}
	}
}

const keptUp = "kept up"

// sustain sends at a rate and sees whether everything keeps up: whether all is
// taken, rows are fresh, and hardly anything is left to do when the load ends.
// The note of the row says so. It returns when nothing is left to do.
func (w *world) sustain(ctx context.Context, perSecond float64, d time.Duration, withVero bool) (Row, error) {
	row := Row{Section: "all", Unit: "events/s"}
	before, err := w.usage(ctx)
	if err != nil {
		return row, err
	}
	w.memory = 0
	p, s, err := w.steadily(ctx, fmt.Sprintf("at%x", time.Now().UnixMilli()), perSecond, d)
	if err != nil {
		return row, err
	}
	left := time.Now()
	for _, destination := range w.destinations(withVero) {
		for behind := true; behind; pause(ctx, 10*time.Millisecond) {
			after, err := w.usage(ctx)
			if err != nil {
				return row, err
			}
			behind = float64(after.settled[destination]-before.settled[destination]) < after.events-before.events
			row.CPU = (after.cpu - before.cpu) / (after.events - before.events) * 1000
			row.EventsPerSync = (after.events - before.events) / (after.records - before.records)
			if time.Since(left) > patience {
				return row, fmt.Errorf("%s is behind by more than %s; what the bridge says is in %s", destination, patience, w.bridge.Log.Name())
			}
		}
	}
	behind := time.Since(left)
	row.Value, row.Failed, row.Memory = s.rate(), s.Failed, w.memory
	row.wait(p.freshness())
	switch {
	case s.Failed > 0:
		row.Note = fmt.Sprintf("%d events were not taken", s.Failed)
	case s.rate() < 0.95*perSecond:
		row.Note = fmt.Sprintf("no more than %s events/s were taken", grouped(int(s.rate())))
	case p.freshness().P99 > freshEnough:
		row.Note = fmt.Sprintf("rows were there after %s", p.freshness().P99.Round(time.Millisecond))
	case behind > freshEnough:
		row.Note = fmt.Sprintf("it was behind by %s in the end", behind.Round(time.Millisecond))
	default:
		row.Note = keptUp
	}
	return row, nil
}

func (w *world) destinations(withVero bool) []string {
	if withVero {
		return []string{warehouseName, veroName}
	}
	return []string{warehouseName}
}
