package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// measureStart measures what a bridge takes before it has done anything.
func (r *run) measureStart(ctx context.Context) (err error) {
	info, err := os.Stat(r.options.Binary)
	if err != nil {
		return err
	}
	r.add(Row{Section: "start", What: "binary", Value: float64(info.Size()) / (1 << 20), Unit: "MB"})
	w, err := r.newWorld(ctx, "start", true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	var starts []time.Duration
	for range 5 {
		if err := w.bridge.Stop(); err != nil {
			return err
		}
		began := time.Now()
		if err := w.bridge.Start(ctx); err != nil {
			return err
		}
		starts = append(starts, time.Since(began))
	}
	slices.Sort(starts)
	r.add(Row{Section: "start", What: "until it takes events", Value: milliseconds(starts[len(starts)/2]), Unit: "ms", Note: "the median of 5"})
	before, err := w.usage(ctx)
	if err != nil {
		return err
	}
	pause(ctx, r.options.Duration)
	idle, err := w.usage(ctx)
	if err != nil {
		return err
	}
	r.add(Row{
		Section: "start", What: "memory when idle", Value: idle.memory / (1 << 20), Unit: "MB",
		Note: "and " + fmt.Sprintf("%.1f", (idle.cpu-before.cpu)/r.options.Duration.Seconds()*100) + " % of a processor",
	})
	return nil
}
