package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func deadCommand(env environment) *cobra.Command {
	var admin adminFlags
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "List dead letters, send them again, or drop them",
		Long: `An event becomes a dead letter when a destination refuses it for good, when it
failed for longer than the retry horizon, or when nobody can tell whether it
arrived (status ambiguous). The running bridge keeps it, with what happened,
until it is sent again or dropped.`,
		Example: `  verobridge dead list --destination vero --since 24h
  verobridge dead show 0190a7f2-…
  verobridge dead retry --destination vero --reason bad_request
  verobridge dead drop --source web --event "Test Event"`,
	}
	admin.add(cmd)
	cmd.AddCommand(
		deadListCommand(&admin, env),
		deadShowCommand(&admin, env),
		deadRetryCommand(&admin, env),
		deadDropCommand(&admin, env),
	)
	return cmd
}

// letterFlags pick dead letters.
type letterFlags struct {
	values map[string]*string
	limit  int
}

func (f *letterFlags) add(cmd *cobra.Command) {
	f.values = make(map[string]*string)
	for _, flag := range []struct{ name, usage string }{
		{"destination", "only those of a destination, by `name`"},
		{"status", "only those of a `status`: dead or ambiguous"},
		{"reason", "only those with a `reason`, such as bad_request"},
		{"source", "only events of a source, by `name`"},
		{"event", "only events with a `name`"},
		{"user", "only events of a person, by userId or anonymousId"},
		{"since", "only those of a `time` on, or not older than an age such as 24h"},
	} {
		f.values[flag.name] = cmd.Flags().String(flag.name, "", flag.usage)
	}
	cmd.Flags().IntVar(&f.limit, "limit", 0, "at most so many, the oldest first")
}

// query returns what the flags and the arguments, which are ids, ask for.
func (f *letterFlags) query(ids []string) url.Values {
	q := url.Values{"id": ids}
	for name, value := range f.values {
		if *value != "" {
			q.Set(name, *value)
		}
	}
	if f.limit > 0 {
		q.Set("limit", strconv.Itoa(f.limit))
	}
	return q
}

// pickSome refuses to pick everything, which nobody means by saying nothing.
func pickSome(q url.Values, all bool) error {
	switch {
	case all:
		q.Set("all", "true")
	case !picksSome(q):
		return errors.New("say which dead letters: name ids, filter them (see --help), or add --all")
	}
	return nil
}

func deadListCommand(admin *adminFlags, env environment) *cobra.Command {
	var filter letterFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [id]...",
		Short: "List dead letters, the oldest first",
		Example: `  verobridge dead list --destination vero --since 24h
  verobridge dead list --json | jq -r .report.detail | sort | uniq -c`,
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := admin.client(env)
			if err != nil {
				return err
			}
			if asJSON {
				return client.lines(cmd.Context(), http.MethodGet, "/api/dead", filter.query(args), func(line json.RawMessage) error {
					_, err := fmt.Fprintln(cmd.OutOrStdout(), string(line))
					return err
				})
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "AT\tDESTINATION\tSTATUS\tREASON\tSOURCE\tEVENT\tUSER\tID")
			n := 0
			err = client.letters(cmd.Context(), filter.query(args), func(l letterLine) error {
				n++
				r := l.Report
				_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.SettledAt.Local().Format(time.DateTime),
					r.Destination, r.Status, r.Reason, orDash(r.Source), printable(orDash(r.Event, string(r.Type))), printable(orDash(r.UserID, r.AnonymousID)), printable(l.ID))
				return err
			})
			if err != nil {
				return err
			}
			if n == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "no dead letters")
				return nil
			}
			return table.Flush()
		},
	}
	filter.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON value a line, with the event")
	return cmd
}

func deadShowCommand(admin *adminFlags, env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "show id...",
		Short: "Show dead letters whole: the event, the requests and the answers",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := admin.client(env)
			if err != nil {
				return err
			}
			n := 0
			err = client.letters(cmd.Context(), url.Values{"id": args}, func(l letterLine) error {
				n++
				return writeIndented(cmd.OutOrStdout(), l)
			})
			if err == nil && n == 0 {
				return errors.New("there is no such dead letter; verobridge dead list shows those there are")
			}
			return err
		},
	}
}

func deadRetryCommand(admin *adminFlags, env environment) *cobra.Command {
	var filter letterFlags
	var all bool
	cmd := &cobra.Command{
		Use:   "retry [id]...",
		Short: "Send dead letters again",
		Long: `Send dead letters again. They keep their messageId, the time at which they were
received, and the count of their attempts, and go out behind what comes in. What
fails again becomes a dead letter again. Records that could not be read stay.

Look before you send ambiguous ones again: Vero may have them already, and takes
equal events for one only within minutes.`,
		Example: `  verobridge dead retry --destination vero --reason bad_request
  verobridge dead retry 0190a7f2-… 0190a7f3-…`,
		RunE: func(cmd *cobra.Command, args []string) error {
			query := filter.query(args)
			if err := pickSome(query, all); err != nil {
				return err
			}
			client, err := admin.client(env)
			if err != nil {
				return err
			}
			var done taken
			if err := client.call(cmd.Context(), http.MethodPost, "/api/dead/retry", query, &done); err != nil {
				return err
			}
			if done.Letters == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "no dead letters")
				return nil
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d are sent again; verobridge.deliveries shows what becomes of them\n", done.Letters)
			return nil
		},
	}
	filter.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "send all of them again")
	return cmd
}

func deadDropCommand(admin *adminFlags, env environment) *cobra.Command {
	var filter letterFlags
	var all, yes bool
	cmd := &cobra.Command{
		Use:   "drop [id]...",
		Short: "Delete dead letters",
		Long: `Delete dead letters. Their rows in verobridge.deliveries stay, and so do the
events' rows in the warehouse.`,
		Example: `  verobridge dead drop --source web --event "Test Event"
  verobridge dead drop --all --yes`,
		RunE: func(cmd *cobra.Command, args []string) error {
			query := filter.query(args)
			taking := filter.query(args)
			if err := pickSome(taking, all); err != nil {
				return err
			}
			client, err := admin.client(env)
			if err != nil {
				return err
			}
			n := 0
			if err := client.letters(cmd.Context(), query, func(l letterLine) error {
				n++
				taking.Set("up_to", strconv.FormatUint(l.Sequence, 10)) // later ones were not counted
				return nil
			}); err != nil {
				return err
			}
			if n == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "no dead letters")
				return nil
			}
			if err := confirm(cmd, yes, fmt.Sprintf("delete %d dead letters past recovery?", n)); err != nil {
				return err
			}
			var done taken
			if err := client.call(cmd.Context(), http.MethodPost, "/api/dead/drop", taking, &done); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "deleted %d\n", done.Letters)
			return nil
		},
	}
	filter.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "delete all of them")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func writeIndented(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// orDash returns the first text that is not empty, else a dash.
func orDash(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return "-"
}
