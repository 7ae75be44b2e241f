package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/verobridge/verobridge/ingest"
	"github.com/verobridge/verobridge/internal/console"
	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/live"
	"github.com/verobridge/verobridge/internal/people"
	"github.com/verobridge/verobridge/internal/spool"
	"github.com/verobridge/verobridge/outbound"
	"github.com/verobridge/verobridge/warehouse"
)

// loadBatch is how many events are handed to the warehouse at once when it is
// behind. When it is not, it loads what there is.
const loadBatch = 5000

// deliveryBatch is how many events are handed to a destination at once when it
// is behind: 64 for each of 64 connections, which are idle between two batches.
const deliveryBatch = 4096

// bridge is the running program. Its parts start in the order in which events
// flow backwards, so that each finds the next one ready, and stop the other way
// round:
//
//	start:  warehouse, people, spool, deliveries, HTTP
//	stop:   HTTP, deliveries, spool, people, warehouse
type bridge struct {
	settings settings
	log      *slog.Logger
	metrics  *prometheus.Registry
	spool    *spool.Spool
	loader   *warehouse.Loader
	people   *people.People
	feed     *live.Feed
	console  *console.Console
	refusals *ingest.Refusals
	// started is since when all that comes in goes where the settings say.
	started time.Time
	// forgetters delete a person at a destination, by its name.
	forgetters map[string]func(ctx context.Context, id string) error

	door                  http.Handler // of apps and Vero
	publicAddr, adminAddr string
	closedConnections     *prometheus.CounterVec
	drains                sync.WaitGroup
	failed                chan error // what ended a part that should run on
	closers               []func(context.Context) error
}

// startBridge starts everything, and takes it apart again if a part cannot
// start. ctx bounds the start only.
func startBridge(ctx context.Context, s settings, log *slog.Logger) (*bridge, error) {
	b := &bridge{
		settings: s, log: log, metrics: prometheus.NewRegistry(), failed: make(chan error, 8),
		forgetters: make(map[string]func(context.Context, string) error),
		refusals:   ingest.NewRefusals(),
	}
	b.metrics.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	for _, part := range []func(context.Context) error{
		b.openWarehouse,
		b.openPeople,
		b.openSpool,
		b.startDeliveries,
		b.startRetention,
		b.startNotify,
		b.openFeed,
		b.startHTTP,
	} {
		if err := part(ctx); err != nil {
			stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
			defer cancel()
			return nil, errors.Join(err, b.stop(stopping))
		}
	}
	log.Info("verobridge runs", "version", version(), "listen", b.publicAddr, "admin", b.adminAddr,
		"sources", len(s.Sources), "destinations", len(s.Destinations))
	return b, nil
}

// onStop remembers how to stop a part. The last part started stops first.
func (b *bridge) onStop(stop func(context.Context) error) {
	b.closers = append(b.closers, stop)
}

// stop stops the parts in reverse order of their start. Each is stopped even if
// one before it failed to, or took all the time there was.
func (b *bridge) stop(ctx context.Context) error {
	var problems []error
	for _, stop := range slices.Backward(b.closers) {
		problems = append(problems, stop(ctx))
	}
	b.closers = nil
	return errors.Join(problems...)
}

func (b *bridge) openWarehouse(ctx context.Context) error {
	o := warehouseOptions(b.settings)
	o.Logger, o.Registerer = b.log, b.metrics
	loader, err := warehouse.Open(ctx, o)
	if err != nil {
		return err
	}
	b.loader = loader
	b.onStop(func(context.Context) error {
		loader.Close()
		return nil
	})
	return nil
}

// destinations returns the names of all destinations, the warehouse among them.
func (b *bridge) destinations() []string {
	names := []string{b.loader.Name()}
	for _, d := range b.settings.Destinations {
		names = append(names, d.Name)
	}
	return names
}

func (b *bridge) openSpool(ctx context.Context) error {
	var err error
	b.spool, err = spool.Open(ctx, spool.Options{
		Dir:          b.settings.spoolDir(),
		URL:          b.settings.NATS.URL,
		Replicas:     b.settings.NATS.Replicas,
		Destinations: b.destinations(),
		Logger:       b.log,
		Registerer:   b.metrics,
	})
	if err != nil {
		return err
	}
	b.started = time.Now().UTC()
	b.onStop(func(context.Context) error { return b.spool.Close() })
	return nil
}

// startDeliveries starts one drain for each destination, the warehouse among
// them, and the writing of reports.
func (b *bridge) startDeliveries(context.Context) error {
	var destinations []delivery.Destination
	for _, d := range b.settings.Destinations {
		destination, err := b.newDestination(d)
		if err != nil {
			return err
		}
		destinations = append(destinations, b.people.Guard(destination))
	}

	ctx, cancel := context.WithCancel(context.Background())
	b.onStop(func(ctx context.Context) error {
		cancel()
		return waitFor(ctx, &b.drains, "the deliveries did not stop in time")
	})
	b.drains.Go(func() { b.prepareWarehouse(ctx) })
	b.drains.Go(func() { b.people.Run(ctx) })
	b.drain(func() error {
		return b.spool.Drain(ctx, b.people.Guard(b.people.Record(b.loader)), spool.DrainOptions{MaxEvents: loadBatch, Unordered: true})
	})
	b.drain(func() error { return b.spool.Watch(ctx) })
	b.drain(func() error { return b.spool.DrainReports(ctx, b.writeReports) })
	b.drain(func() error { return b.spool.WatchStandings(ctx, b.writeState) })
	b.drains.Go(func() { b.keepRefusals(ctx) })
	for _, d := range destinations {
		accept := b.accepts(d.Name())
		b.drain(func() error {
			return b.spool.Drain(ctx, d, spool.DrainOptions{Accept: accept, MaxEvents: deliveryBatch})
		})
	}
	return nil
}

func (b *bridge) drain(drain func() error) {
	b.drains.Go(func() {
		if err := drain(); err != nil {
			b.failed <- err
		}
	})
}

// prepareWarehouse makes the known tables at once, so that they are there for
// analysts before the first event. Where Postgres is down the first load does
// it.
func (b *bridge) prepareWarehouse(ctx context.Context) {
	if err := b.loader.Prepare(ctx); err != nil && ctx.Err() == nil {
		b.log.Warn("the warehouse is not ready; events are kept and loaded when it is", "error", err)
	}
}

func (b *bridge) newDestination(d destinationSettings) (delivery.Destination, error) {
	switch d.Type {
	case typeSegment:
		return b.newSegment(d)
	default:
		v, err := b.newVero(d)
		if err != nil {
			return nil, err
		}
		b.forgetters[d.Name] = v.Forget
		return b.resolve(v, d)
	}
}

func (b *bridge) newSegment(d destinationSettings) (*outbound.Segment, error) {
	return outbound.NewSegment(outbound.SegmentOptions{
		Name:         d.Name,
		URL:          d.URL,
		AllowPrivate: d.AllowPrivate,
		WriteKey:     d.WriteKey,
		Consent:      d.Consent,
		Timeout:      orZero(d.Timeout),
		Rate:         d.Rate,
		Logger:       b.log,
		Registerer:   b.metrics,
	})
}

// orZero returns the value of a setting, zero where it is not set.
func orZero[T any](setting *T) (value T) {
	if setting != nil {
		value = *setting
	}
	return value
}

// newVero returns a destination of type vero as it is without what is known
// about people.
func (b *bridge) newVero(d destinationSettings) (*outbound.Vero, error) {
	return outbound.NewVero(outbound.VeroOptions{
		Name:         d.Name,
		URL:          d.URL,
		AllowPrivate: d.AllowPrivate,
		AuthToken:    d.AuthToken,
		Preset:       d.Preset,
		Mapping:      d.Mapping,
		Events:       d.Events,
		Consent:      d.Consent,
		Sources:      b.veroSources(),
		Browsers:     b.browsers(),
		Concurrency:  orZero(d.Concurrency),
		Timeout:      orZero(d.Timeout),
		Rate:         d.Rate,
		Logger:       b.log,
		Registerer:   b.metrics,

		RepeatInDoubt: d.Ambiguous == ambiguousRetry,
	})
}

func (b *bridge) veroSources() []string {
	var names []string
	for _, s := range b.settings.Sources {
		if s.Type == typeVero {
			names = append(names, s.Name)
		}
	}
	return names
}

// browsers returns what the sources may do whose write keys are public.
func (b *bridge) browsers() map[string]outbound.Browser {
	browsers := make(map[string]outbound.Browser)
	for _, s := range b.settings.Sources {
		if s.Trust == trustBrowser {
			browsers[s.Name] = outbound.Browser{Events: s.Events, TriggersPerHour: s.TriggersPerHour}
		}
	}
	return browsers
}

// accepts returns what a destination gets: the warehouse all, another one the
// calls of the sources that name it. What was refused at the door goes to the warehouse alone. An event whose
// source is not in the settings any more is not sent by whatever rules another
// source has, and not dropped in silence either.
func (b *bridge) accepts(destination string) func(event.Event) (bool, delivery.Reason) {
	if destination == b.loader.Name() {
		return func(event.Event) (bool, delivery.Reason) { return true, "" }
	}
	wanted := make(map[string]bool)
	for _, s := range b.settings.Sources {
		wanted[s.Name] = slices.Contains(s.Destinations, destination)
	}
	return func(e event.Event) (bool, delivery.Reason) {
		named, known := wanted[e.Source]
		switch {
		case e.Type == event.Rejected:
			return false, ""
		case !known:
			return false, delivery.ReasonSourceRemoved
		default:
			return named, ""
		}
	}
}

// waitFor waits for a group, at most as long as ctx allows.
func waitFor(ctx context.Context, group *sync.WaitGroup, problem string) error {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New(problem)
	}
}
