package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/verobridge/verobridge/internal/localpg"
	"github.com/verobridge/verobridge/internal/rig"
)

// cyclesPerWorld is how often one bridge is hit before a new one takes its
// place.
const cyclesPerWorld = 100

// Options say what is to be done to which bridge.
type Options struct {
	// Binary is the program to torture. Required.
	Binary string
	// Scenarios are names out of Scenarios. Defaults to all.
	Scenarios []string
	// Cycles is how often each scenario does its worst. Defaults to 5.
	Cycles int
	// Seed decides the moments. The same seed makes the same choices; the
	// machine's timing is its own. Defaults to one drawn at random.
	Seed uint64
	// Dir is where everything lives: Postgres, settings, logs. It is removed
	// unless something failed. Defaults to a new directory for temporary files.
	Dir string
	// Progress takes a line now and then. Defaults to none.
	Progress io.Writer
}

// Run tortures a bridge and returns what came of it, a result for each scenario.
// The error says that something could not be tried, or that the bridge did not
// start or stop as it has to; losses are in the report.
func Run(ctx context.Context, o Options) (_ Report, err error) {
	chosen, err := choose(o.Scenarios)
	if err != nil {
		return Report{}, err
	}
	if o.Cycles == 0 {
		o.Cycles = 5
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "verobridge-torture-"); err != nil {
			return Report{}, err
		}
	}
	report := Report{Seed: o.Seed, Dir: o.Dir}
	p, err := rig.StartPostgres(ctx, localpg.Options{Dir: filepath.Join(o.Dir, "postgres"), Settings: postgresSettings})
	if err != nil {
		return report, err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, p.Stop(stopping))
		if err == nil && report.OK() {
			err = os.RemoveAll(o.Dir)
		}
	}()
	for _, s := range chosen {
		result, err := s.run(ctx, o, p)
		report.Results = append(report.Results, result)
		if err != nil {
			return report, fmt.Errorf("scenario %s, seed %d: %w", s.Name, o.Seed, err)
		}
	}
	return report, nil
}

// run does all cycles of a scenario, in as many worlds as they take.
func (s Scenario) run(ctx context.Context, o Options, p *rig.Postgres) (Result, error) {
	total := Result{Scenario: s.Name}
	started := time.Now()
	for total.Cycles < o.Cycles {
		cycles := min(cyclesPerWorld, o.Cycles-total.Cycles)
		dir := filepath.Join(o.Dir, fmt.Sprintf("%s-%d", s.Name, total.Cycles))
		// The seed of a world is of the scenario and its number, so that one can
		// be run again without those before it.
		random := rand.New(rand.NewPCG(o.Seed, uint64(total.Cycles)))
		part, err := s.runWorld(ctx, o, dir, p, random, cycles)
		total.add(part)
		if err != nil {
			return total, err
		}
		total.Took = time.Since(started)
		fmt.Fprintf(o.Progress, "%s: %d of %d cycles, %d events accepted, %d lost, after %s\n",
			s.Name, total.Cycles, o.Cycles, total.Accepted, total.Lost, total.Took.Round(time.Second))
		if part.OK() {
			if err := os.RemoveAll(dir); err != nil {
				return total, err
			}
		}
	}
	return total, nil
}

func (s Scenario) runWorld(ctx context.Context, o Options, dir string, p *rig.Postgres, random *rand.Rand, cycles int) (r Result, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, err
	}
	hit, where, err := s.prepare(ctx, o.Binary, dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, hit.close()) }()
	w, err := newWorld(ctx, o.Binary, dir, where, p, random)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	load := w.startLoad(ctx)
	stopLoad := func() { load.stop(); load.stop = func() {} }
	defer stopLoad()
	for r.Cycles < cycles {
		if err := w.awaitAcknowledgement(ctx); err != nil {
			return r, err
		}
		pause(ctx, w.moment(300*time.Millisecond))
		if err := hit.cycle(ctx, w); err != nil {
			return r, fmt.Errorf("cycle %d: %w", r.Cycles+1, err)
		}
		r.Cycles++
	}
	if err := w.awaitAcknowledgement(ctx); err != nil {
		return r, err
	}
	stopLoad()
	f, err := w.compare(ctx)
	if err != nil {
		return r, err
	}
	r.found(f, w.ledger.longestStall())
	r.Siege = w.siege
	leaks, err := w.leaks(ctx)
	if err != nil {
		return r, err
	}
	r.Leaks, r.Examples = len(leaks), append(r.Examples, leaks...)
	for _, b := range w.bridges {
		if err := b.Stop(); err != nil {
			return r, err
		}
	}
	return r, nil
}

// moment draws how long to wait.
func (w *world) moment(most time.Duration) time.Duration {
	return time.Duration(w.random.Int64N(int64(most)))
}

// patience is how long the bridge may take until it takes events again.
const patience = time.Minute

// awaitAcknowledgement waits until the bridge has taken something new.
func (w *world) awaitAcknowledgement(ctx context.Context) error {
	before, since := w.ledger.len(), time.Now()
	for w.ledger.len() == before {
		if time.Since(since) > patience {
			return fmt.Errorf("the bridge has taken nothing for %s; what it says is in %s", patience, w.process.Log.Name())
		}
		pause(ctx, time.Millisecond)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}
