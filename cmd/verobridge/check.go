package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/warehouse"
)

// checkTimeout bounds how long check waits for a database that does not answer.
const checkTimeout = 15 * time.Second

func checkCommand(env environment) *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look for what would keep serve from working",
		Long: `Look for what would keep serve from working: the settings, whether Postgres
answers, the rights in it, and whether it keeps what it commits. Each finding
names its cure, mostly SQL to be run by an administrator. Nothing is changed.

The exit code is 0 if serve will work, 1 if not.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := loadSettings(config, env)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "ok    the settings are valid")
			ctx, cancel := context.WithTimeout(cmd.Context(), checkTimeout)
			defer cancel()
			findings, err := warehouse.Check(ctx, warehouseOptions(s))
			if err != nil {
				return fmt.Errorf("%w; check warehouse.url and that the database runs", err)
			}
			if problems := printFindings(cmd.OutOrStdout(), findings); problems > 0 {
				return fmt.Errorf("found %d problems that keep rows out of the warehouse", problems)
			}
			return nil
		},
	}
	configFlag(cmd, &config)
	return cmd
}

// printFindings writes a line for each finding, and one for its cure, and
// returns how many are problems.
func printFindings(w io.Writer, findings []warehouse.Finding) (problems int) {
	for _, f := range findings {
		switch f.Level {
		case warehouse.Fine:
			fmt.Fprintln(w, "ok   ", f.What)
			continue
		case warehouse.Advice:
			fmt.Fprintln(w, "warn ", f.What)
		default:
			problems++
			fmt.Fprintln(w, "FAIL ", f.What)
		}
		fmt.Fprintln(w, "      cure:", f.Cure)
	}
	return problems
}
