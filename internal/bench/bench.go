package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/verobridge/verobridge/internal/localpg"
	"github.com/verobridge/verobridge/internal/rig"
)

// Options say what is to be measured.
type Options struct {
	// Binary is the program to measure, which also generates the load. Required.
	Binary string
	// Only are names out of Sections. Defaults to all.
	Only []string
	// Duration is how long each measurement takes, its limits not included.
	// Defaults to 6 s; "all at once" is held up for ten times that.
	Duration time.Duration
	// Short measures for a quarter of the time, with a quarter of the events: to
	// see that everything runs, and the ratios roughly.
	Short bool
	// URL is a bridge that runs elsewhere: only its ingest is measured, and it
	// keeps the events. Defaults to a bridge started for the purpose.
	URL string
	// WriteKey is a key of the bridge at URL.
	WriteKey string
	// Progress takes a line for each measurement. Defaults to none.
	Progress io.Writer
}

// Section is a part of the measurements.
type Section struct {
	Name string
	// What it measures, as a sentence for people.
	What    string
	measure func(*run, context.Context) error
}

// Sections are all there are, in the order in which they run.
var Sections = []Section{
	{"start", "size of the binary, time until it takes events, memory when idle", (*run).measureStart},
	{"ingest", "single events and batches on few and many connections, against a bare server and the disk", (*run).measureIngest},
	{"warehouse", "rows of a backlog, against COPY; time from the answer until a row can be selected", (*run).measureWarehouse},
	{"delivery", "calls of a backlog, against calls without a bridge; time from an event to its call", (*run).measureDelivery},
	{"all", "the highest rate that ingest, rows, reports and calls keep up with", (*run).measureAll},
	{"growth", "10 times the backlog, the tables, the people: what grows with what", (*run).measureGrowth},
}

// Names returns the names of all sections.
func Names() []string {
	var names []string
	for _, s := range Sections {
		names = append(names, s.Name)
	}
	return names
}

// run is one run of the benchmark.
type run struct {
	options  Options
	dir      string
	postgres *rig.Postgres
	report   Report
}

// Run measures and returns the report. After an error the report has what was
// measured until then.
func Run(ctx context.Context, o Options) (_ Report, err error) {
	for _, name := range o.Only {
		if !slices.Contains(Names(), name) {
			return Report{}, fmt.Errorf("there is nothing called %q to measure; take some of %s", name, strings.Join(Names(), ", "))
		}
	}
	o.Duration = cmp.Or(o.Duration, 6*time.Second)
	if o.Short {
		o.Duration /= 4
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	r := &run{options: o, report: Report{At: time.Now().UTC(), System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU()}}
	if o.URL != "" {
		return r.report, r.measureElsewhere(ctx)
	}
	if r.dir, err = os.MkdirTemp("", "verobridge-bench-"); err != nil {
		return r.report, err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(r.dir)
		}
	}()
	if r.postgres, err = rig.StartPostgres(ctx, localpg.Options{Dir: filepath.Join(r.dir, "postgres")}); err != nil {
		return r.report, err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, r.postgres.Stop(stopping))
	}()
	for _, s := range Sections {
		if len(o.Only) > 0 && !slices.Contains(o.Only, s.Name) {
			continue
		}
		if err := s.measure(r, ctx); err != nil {
			return r.report, fmt.Errorf("measure %s: %w (logs are kept in %s)", s.Name, err, r.dir)
		}
	}
	return r.report, nil
}

// add adds a row to the report, and says that it is there.
func (r *run) add(row Row) {
	r.report.Rows = append(r.report.Rows, row)
	fmt.Fprintf(r.options.Progress, "%s: %s: %s\n", row.Section, row.What, row.figure())
}

// say tells how far it has come.
func (r *run) say(format string, args ...any) {
	fmt.Fprintf(r.options.Progress, format+"\n", args...)
}

// events is how many events a measurement takes that is not bound by time.
func (r *run) events(n int) int {
	if r.options.Short {
		return n / 4
	}
	return n
}
