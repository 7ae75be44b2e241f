package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/verobridge/verobridge/internal/mockvero"
)

const (
	// veroConnections is how many calls a bridge makes at the same time unless it
	// is set otherwise.
	veroConnections = 64
	// callBacklog is how many events wait for Vero in one turn, and callsPaced how
	// many come in each second where the time to a call is measured.
	callBacklog = 20_000
	callsPaced  = 500
	// veroAnswers is how long Vero takes to answer there.
	veroAnswers = 10 * time.Millisecond
)

// measureDelivery measures how fast a backlog is called out to Vero, and how soon
// an event is when events come in steadily.
func (r *run) measureDelivery(ctx context.Context) (err error) {
	w, err := r.newWorld(ctx, "delivery", true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.awaitTables(ctx); err != nil {
		return err
	}
	row, err := w.measureCalls(ctx)
	if err != nil {
		return err
	}
	r.add(row)
	w.vero.Fault(mockvero.Fault{Delay: veroAnswers, Count: -1})
	p, s, err := w.steadily(ctx, "calls", callsPaced, r.options.Duration)
	if err != nil {
		return err
	}
	if err := w.awaitCalls(ctx, p); err != nil {
		return err
	}
	row = Row{
		Section: "delivery", What: fmt.Sprintf("from the request to the call, Vero answers in %s", veroAnswers), Value: s.rate(),
		Unit: "events/s", Failed: s.Failed, Note: "batches of 20 at a steady pace",
	}
	row.wait(w.arrivals.took(p))
	r.add(row)
	return nil
}

// measureCalls sends backlogs to Vero in turns with calls straight from a
// generator.
func (w *world) measureCalls(ctx context.Context) (Row, error) {
	events := w.events(callBacklog)
	row := Row{Section: "delivery", What: fmt.Sprintf("calls of a backlog of %s events", grouped(events)), Unit: "calls/s"}
	var (
		ours   float64
		theirs sent
	)
	w.memory = 0
	for round := range rounds {
		perSecond, err := w.callBacklog(ctx, fmt.Sprintf("backlog-%d-", round), events)
		if err != nil {
			return row, err
		}
		ours += perSecond / rounds
		u, err := w.usage(ctx)
		if err != nil {
			return row, err
		}
		row.CPU += u.cpu / float64(events) * 1000 / rounds
		s, err := w.generate(ctx, load{
			URL: w.door.URL() + "/api/v2", Key: veroToken, Vero: true, Run: fmt.Sprintf("straight-%d-", round),
			Connections: veroConnections, Duration: w.options.Duration / rounds,
		})
		if err != nil {
			return row, err
		}
		theirs.add(s)
	}
	row.Value, row.Memory = ours, w.memory
	row.limit("the same calls without a bridge", theirs.rate())
	return row, nil
}

// callBacklog lets events come in while Vero is away, until their rows are
// there, and measures how fast they are called out when it is back.
func (w *world) callBacklog(ctx context.Context, run string, events int) (perSecond float64, err error) {
	if err := w.door.Close(); err != nil {
		return 0, err
	}
	loaded, err := w.usage(ctx)
	if err != nil {
		return 0, err
	}
	if err := w.fill(ctx, w.load(run, 4, 100), events); err != nil {
		return 0, err
	}
	if _, err := w.drained(ctx, loaded.settled[warehouseName]+events, w.settled(warehouseName)); err != nil {
		return 0, err
	}
	if err := w.bridge.Stop(); err != nil {
		return 0, err
	}
	if err := w.door.Open(ctx); err != nil {
		return 0, err
	}
	called := w.vero.Totals().Events
	if err := w.bridge.Start(ctx); err != nil {
		return 0, err
	}
	return w.drained(ctx, events, func(context.Context) (int, error) { return w.vero.Totals().Events - called, nil })
}
