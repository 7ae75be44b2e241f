package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/torture"
)

func tortureCommand() *cobra.Command {
	var o torture.Options
	cmd := &cobra.Command{
		Use:   "torture",
		Short: "Break a bridge on purpose, and count what it lost",
		Long: `Break a bridge on purpose, and count what it lost.

It starts this very program, a private Postgres and a mock of Vero, lets clients
send events, does harm at moments drawn from a seed, and in the end compares
what was acknowledged with the rows, the delivery reports and the effects at
Vero. The exit code is 1 if anything was lost, doubled or out of order.

Scenarios, each --cycles times:

` + scenarioTable() + `
It needs the Postgres programs (apt-get install postgresql). power and disk need
Linux with /dev/fuse, and root or the package fuse3. docs/reliability.md says
what is expected in each case, and what was found.`,
		Example: `  verobridge torture
  verobridge torture --scenario kill --cycles 1000
  verobridge torture --scenario power --cycles 100 --seed 42`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Binary, err = os.Executable(); err != nil {
				return err
			}
			o.Progress = cmd.ErrOrStderr()
			report, err := torture.Run(cmd.Context(), o)
			if problem := report.Write(cmd.OutOrStdout()); problem != nil {
				return errors.Join(err, problem)
			}
			switch {
			case err != nil:
				return fmt.Errorf("%w (logs are kept in %s)", err, report.Dir)
			case !report.OK():
				return fmt.Errorf("a promise was broken; logs are kept in %s, and --seed %d makes the same choices again", report.Dir, report.Seed)
			default:
				return nil
			}
		},
	}
	cmd.Flags().StringSliceVar(&o.Scenarios, "scenario", nil, "`names` of the scenarios to run (default all)")
	cmd.Flags().IntVar(&o.Cycles, "cycles", 5, "how `often` each scenario does its harm")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 0, "`number` that decides the moments (default drawn at random, and printed)")
	cmd.Flags().StringVar(&o.Dir, "dir", "", "`folder` for Postgres, settings and logs (default a temporary one, removed if all is well)")
	cmd.AddCommand(attackCommand())
	return cmd
}

func scenarioTable() string {
	var b strings.Builder
	for _, s := range torture.Scenarios {
		fmt.Fprintf(&b, "  %-9s %s\n", s.Name, s.What)
	}
	return b.String()
}
