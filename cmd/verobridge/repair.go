package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/warehouse"
)

func repairCommand(env environment) *cobra.Command {
	var config, typ string
	var recreate, yes bool
	cmd := &cobra.Command{
		Use:   "repair [schema.table.column]",
		Short: "Give a column another type, and put in what did not fit",
		Long: `Give a column of the warehouse another type, and put into it the values that did
not fit and were kept in the schema's discards. Without a column, list those that
have such values; what is in discards because two names mean the same column is
only counted.

What would be done is shown first; it is done with --yes, in one transaction. The
table is written anew if its type changes: nobody can read or write it meanwhile,
and events for it wait in the spool. Values that do not fit the new type are kept
in discards. Postgres does not change a column that views use: with
--recreate-views they are dropped and made again, with their owners, rights,
comments and indexes.

serve may run meanwhile, and uses the new type from then on.`,
		Example: `  verobridge repair
  verobridge repair app.order_completed.total
  verobridge repair app.order_completed.total --type numeric --recreate-views --yes`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			url, err := warehouseURL(config, env)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return listDiscards(cmd, url)
			}
			o := warehouse.RepairOptions{URL: url, Type: typ, RecreateViews: recreate, Waiting: func(holders []string) {
				fmt.Fprintf(cmd.ErrOrStderr(), "the table is in use, trying again; it is held by %s\n", strings.Join(holders, ", "))
			}}
			parts := strings.Split(args[0], ".")
			if len(parts) != 3 {
				return fmt.Errorf("name the column as schema.table.column, not %q", args[0])
			}
			o.Schema, o.Table, o.Column = parts[0], parts[1], parts[2]
			return repair(cmd, o, yes)
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().StringVar(&typ, "type", "", "`type` that the column gets: text, numeric, bigint, boolean, timestamptz or jsonb; without it, the narrowest that holds all values")
	cmd.Flags().BoolVar(&recreate, "recreate-views", false, "drop the views that use the column, and make them again")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it; without it, only show what would be done")
	return cmd
}

// repair shows what a repair would do, and does it if it was asked to.
func repair(cmd *cobra.Command, o warehouse.RepairOptions, yes bool) error {
	plan, err := warehouse.PlanRepair(cmd.Context(), o)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	printRepair(out, o, plan)
	switch {
	case plan.From == plan.To && plan.Fitting == 0:
		fmt.Fprintln(out, "there is nothing to do")
		return nil
	case len(plan.Views) > 0 && !o.RecreateViews && yes:
		return fmt.Errorf("views use the column: %s; drop them by hand and make them again, or let --recreate-views do it", strings.Join(plan.Views, ", "))
	case !yes:
		fmt.Fprintln(out, "nothing was changed; run it again with --yes to do this")
		return nil
	}
	o.Type = plan.To
	result, err := warehouse.Repair(cmd.Context(), o)
	if errors.Is(err, warehouse.ErrViews) {
		return fmt.Errorf("%w by now; look again without --yes", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "done: %d values are in the column again, %d stay in discards\n", result.Replayed, result.Kept)
	return nil
}

func printRepair(out io.Writer, o warehouse.RepairOptions, plan warehouse.RepairPlan) {
	fmt.Fprintf(out, "%s.%s.%s\n", o.Schema, o.Table, o.Column)
	if plan.From == plan.To {
		fmt.Fprintf(out, "  type: %s, which stays\n", plan.From)
	} else {
		fmt.Fprintf(out, "  type: from %s to %s\n", plan.From, plan.To)
		fmt.Fprintf(out, "  the table is written anew: about %d rows, %d MB; nobody can use it meanwhile\n", plan.Rows, plan.Bytes>>20)
	}
	fmt.Fprintf(out, "  of %d values in discards %d fit\n", plan.Discards, plan.Fitting)
	if plan.Misfits > 0 {
		fmt.Fprintf(out, "  %d values in the column do not fit; they go to discards\n", plan.Misfits)
	}
	if len(plan.Views) > 0 {
		how := "drop them by hand, or use --recreate-views"
		if o.RecreateViews {
			how = "they are dropped and made again"
		}
		fmt.Fprintf(out, "  views use it: %s; %s\n", strings.Join(plan.Views, ", "), how)
	}
}

// listDiscards lists the columns that have values in discards, and counts those
// that no repair can help.
func listDiscards(cmd *cobra.Command, url string) error {
	columns, err := warehouse.Discards(cmd.Context(), url)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	var repairable []warehouse.DiscardCount
	others := make(map[string]int64)
	for _, c := range columns {
		if c.Repairable() {
			repairable = append(repairable, c)
		} else {
			others[c.Reason] += c.Values
		}
	}
	if len(repairable) == 0 {
		fmt.Fprintln(out, "there are no values in discards that a repair could put into a column")
	} else {
		fmt.Fprintf(out, "%-60s %10s  %s\n", "column", "values", "reason")
	}
	for _, c := range repairable {
		fmt.Fprintf(out, "%-60s %10d  %s\n", c.Schema+"."+c.Table+"."+c.Column, c.Values, c.Reason)
	}
	if len(others) > 0 {
		fmt.Fprintf(out, "no type would help %s: their names belong to other columns; give them names of their own where they are sent\n", byReason(others))
	}
	return nil
}
