package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/doctor"
	"github.com/verobridge/verobridge/warehouse"
)

// checkTimeout bounds how long check waits for what does not answer.
const checkTimeout = 8 * time.Second

func checkCommand(env environment) *cobra.Command {
	var config string
	var asJSON, strict bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look for what would keep serve from working",
		Long: `Look for what keeps the bridge from working, or will: the settings; Postgres, its
rights, and whether it keeps what it commits; the folder of the spool, its disk and
how long that takes to sync; clocks; whether Vero and the other destinations answer
and take their credentials; certificates; whether the webhook of notify answers; and
whether apps and Vero reach the bridge at its addresses. It may be run before serve is, and beside it, as the same user.

Each line is ok, a warning or an error, and each warning and error has its cure.
Nothing is changed and no event is sent: Vero is asked to edit nothing of a person
who does not exist, other destinations get a batch of no events. It takes at most
ten seconds, also where things hang.

The exit code is 0 if there is no error, else 1; with --strict it is 1 for warnings
too.`,
		Example: `  verobridge check --config verobridge.yaml
  verobridge check --strict --config verobridge.yaml && verobridge serve --config verobridge.yaml
  verobridge check --json | jq -r 'select(.level != "ok") | .cure'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := examine(cmd.Context(), config, env)
			if err := printFindings(cmd.OutOrStdout(), findings, asJSON); err != nil {
				return err
			}
			return verdict(findings, strict)
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON value a line: level, area, what and cure")
	cmd.Flags().BoolVar(&strict, "strict", false, "count warnings as errors")
	return cmd
}

// examine looks at everything that the settings name. Without settings there is
// nothing else to look at.
func examine(ctx context.Context, config string, env environment) []doctor.Finding {
	found := doctor.In("settings")
	s, err := loadSettings(config, env)
	if err != nil {
		for _, problem := range problemsOf(err) {
			found.Add(doctor.Error, "", "%v", problem) // it holds its cure
		}
		return found.All()
	}
	found.OK("the settings are valid")
	checks := []doctor.Check{
		{Area: "bridge", Look: s.checkBridge},
		{Area: "data_dir", Look: s.checkDataDir},
		{Area: "warehouse", Look: s.checkWarehouse},
	}
	checks = append(checks, s.checkDestinations()...)
	checks = append(checks, s.checkDoors()...)
	return append(found.All(), doctor.Run(ctx, checkTimeout, checks...)...)
}

// problemsOf returns the errors that an error was joined of.
func problemsOf(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

func (s settings) checkWarehouse(ctx context.Context) []doctor.Finding {
	findings, err := warehouse.Check(ctx, warehouseOptions(s))
	if err != nil {
		f := doctor.In("warehouse")
		f.Add(doctor.Error, "check warehouse.url and that the database runs; events are kept until it does", "%v", err)
		return f.All()
	}
	return findings
}

// caller is a destination that can be asked how it is.
type caller interface {
	Check(ctx context.Context) []doctor.Finding
}

// checkDestinations returns a check for each destination: whether it answers, and
// takes its credentials.
func (s settings) checkDestinations() []doctor.Check {
	b := &bridge{settings: s, log: slog.New(slog.DiscardHandler), metrics: prometheus.NewRegistry()}
	var checks []doctor.Check
	for _, d := range s.Destinations {
		area := "destination " + d.Name
		checks = append(checks, doctor.Check{Area: area, Look: func(ctx context.Context) []doctor.Finding {
			var destination caller
			var err error
			if d.Type == typeSegment {
				destination, err = b.newSegment(d)
			} else {
				destination, err = b.newVero(d)
			}
			if err != nil {
				f := doctor.In(area)
				f.Add(doctor.Error, "correct the setting", "%v", err)
				return f.All()
			}
			return destination.Check(ctx)
		}})
	}
	return checks
}

// printFindings writes a line for each finding, and one for its cure.
func printFindings(w io.Writer, findings []doctor.Finding, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		for _, f := range findings {
			if err := encoder.Encode(f); err != nil {
				return err
			}
		}
		return nil
	}
	for _, f := range findings {
		fmt.Fprintf(w, "%-8s %s: %s\n", f.Level, f.Area, f.What)
		if f.Cure != "" {
			fmt.Fprintf(w, "         cure: %s\n", f.Cure)
		}
	}
	return nil
}

// verdict is an error if something must be mended first.
func verdict(findings []doctor.Finding, strict bool) error {
	counts := make(map[doctor.Level]int)
	for _, f := range findings {
		counts[f.Level]++
	}
	wrong, careful := counts[doctor.Error], counts[doctor.Warning]
	switch {
	case wrong > 0:
		return fmt.Errorf("check found %s and %s", plural(wrong, "error"), plural(careful, "warning"))
	case strict && careful > 0:
		return fmt.Errorf("check found %s", plural(careful, "warning"))
	}
	return nil
}

// plural counts things: 1 error, 2 errors.
func plural(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
