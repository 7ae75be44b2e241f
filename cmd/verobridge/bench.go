package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/bench"
)

func benchCommand() *cobra.Command {
	var o bench.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast it is on this machine, beside what the machine can do",
		Long: `Measure how fast it is on this machine, beside what the machine can do.

It starts this very program with a private Postgres and a mock of Vero, sends
events from a process of its own, and prints one table. Each figure stands beside
a limit that was measured in turns with it: a server that only reads and answers,
a file that is appended to and synced, COPY of the same rows, the same calls
without a bridge. Neighbours on the machine move both, and the ratio stays.

What it measures, --only some of it:

` + sectionTable() + `
In the table, p50, p95 and p99 are waits of requests, or of what the line says;
CPU is the processor time of the bridge for 1,000 events; an event is accepted
when it is synced to disk, and events/sync is how many share a sync. Ingest is
measured while Postgres is away, so that nothing else goes on.

To plan capacity, read "all": the highest rate at which everything keeps up. With
--url it measures the ingest of a bridge that runs elsewhere, which keeps the
events: "Bench Sent 0000" of the users user-00000000 to user-00000999, and sends
them on as its settings say. Use a source without destinations.

It needs the Postgres programs (apt-get install postgresql), about 10 minutes,
and nothing else running beside it.`,
		Example: `  verobridge bench
  verobridge bench --only ingest,all --short
  verobridge bench --json > bench.json
  verobridge bench --url https://events.example.com --write-key "$BENCH_WRITE_KEY"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (o.URL == "") != (o.WriteKey == "") {
				return errors.New("--url and --write-key go together: the bridge to measure, and a write key of one of its sources")
			}
			var err error
			if o.Binary, err = os.Executable(); err != nil {
				return err
			}
			o.Progress = cmd.ErrOrStderr()
			report, err := bench.Run(cmd.Context(), o)
			write := report.Write
			if asJSON {
				write = report.WriteJSON
			}
			if len(report.Rows) > 0 {
				err = errors.Join(err, write(cmd.OutOrStdout()))
			}
			return err
		},
	}
	cmd.Flags().StringSliceVar(&o.Only, "only", nil, "`names` of what to measure (default all)")
	cmd.Flags().DurationVar(&o.Duration, "duration", 6*time.Second, "how `long` each measurement takes, its limits not included")
	cmd.Flags().BoolVar(&o.Short, "short", false, "take a quarter of the time and of the events: ratios, roughly")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON instead of a table")
	cmd.Flags().StringVar(&o.URL, "url", "", "`URL` of a bridge that runs already, to measure its ingest")
	cmd.Flags().StringVar(&o.WriteKey, "write-key", "", "write `key` of one of its sources")
	cmd.AddCommand(
		&cobra.Command{
			Use: bench.GenerateCommand, Short: "Send the load that is described on the standard input", Hidden: true, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return bench.Generate(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
			},
		},
		&cobra.Command{
			Use: bench.BareCommand, Short: "Serve what only reads and answers, until the standard input ends", Hidden: true, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return bench.ServeBare(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
			},
		},
	)
	return cmd
}

func sectionTable() string {
	var b strings.Builder
	for _, s := range bench.Sections {
		fmt.Fprintf(&b, "  %-9s %s\n", s.Name, s.What)
	}
	return b.String()
}
