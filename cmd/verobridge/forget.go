package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/people"
)

func forgetCommand(env environment) *cobra.Command {
	var admin adminFlags
	var userID, email, anonymousID string
	var yes bool
	cmd := &cobra.Command{
		Use:   "forget",
		Short: "Erase a person everywhere, and keep the person out from then on",
		Long: `Erase a person everywhere, and keep the person out from then on: who asks to be
forgotten (GDPR, article 17) is deleted from the tables of all sources, from
verobridge's own, from the events that are held or dead, and at Vero.

First it looks up by what else the person is known, counts what there is, and
asks. Then events of the person are skipped at every destination, replays and
imports included; of the identifiers only salted hashes are kept for that. What
is deleted does not come back, and what Vero has deleted it never takes again.

If something cannot be reached it says what remains: run the same command again.
Each erasure leaves a receipt in verobridge.erasures that names nobody. Backups,
and events in the spool, which are delivered nowhere and are gone after seven
days, are not touched.`,
		Example: `  verobridge forget --user-id 42
  verobridge forget --email ann@example.com --yes
  verobridge forget --user-id 42 --anonymous-id 5d1a2c90-6b1f-4f6e-9d58-0c7f2a7d3a11`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := admin.client(env)
			if err != nil {
				return err
			}
			if userID+email+anonymousID == "" {
				return errors.New("name the person with --user-id, --email or --anonymous-id")
			}
			query := url.Values{"user_id": {userID}, "email": {email}, "anonymous_id": {anonymousID}}
			var found people.Found
			if err := client.call(cmd.Context(), http.MethodGet, "/api/forget", query, &found); err != nil {
				return err
			}
			printFound(cmd.OutOrStdout(), found)
			if err := confirm(cmd, yes, "erase this person for good?"); err != nil {
				return err
			}
			receipt, err := client.forget(cmd.Context(), cmd.OutOrStdout(), query)
			if err != nil {
				return err
			}
			return printReceipt(cmd.OutOrStdout(), receipt)
		},
	}
	admin.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&userID, "user-id", "", "the person's `userId`")
	flags.StringVar(&email, "email", "", "the person's e-mail `address`")
	flags.StringVar(&anonymousID, "anonymous-id", "", "an `anonymousId` of the person")
	flags.BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func printFound(w io.Writer, found people.Found) {
	for _, known := range []struct {
		as   string
		list []string
	}{{"user ids", found.Person.Users}, {"anonymous ids", found.Person.Anonymous}, {"addresses", found.Person.Emails}} {
		if len(known.list) > 0 {
			fmt.Fprintf(w, "%s: %s\n", known.as, strings.Join(known.list, ", "))
		}
	}
	printCounts(w, found.Counts)
}

func printCounts(w io.Writer, counts map[string]int) {
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "%8d %s\n", counts[name], name)
	}
}

// printReceipt returns an error if something remains to be done.
func printReceipt(w io.Writer, r people.Receipt) error {
	fmt.Fprintf(w, "receipt %s, begun %s\n", r.ID, r.StartedAt.Format(time.RFC3339))
	printCounts(w, r.Counts)
	if len(r.Remaining) == 0 {
		fmt.Fprintln(w, "the person is erased")
		return nil
	}
	fmt.Fprintln(w, "what remains:")
	for _, what := range r.Remaining {
		fmt.Fprintf(w, "  %s\n", what)
	}
	return errors.New("the person is kept out from now on, and not erased everywhere; run the same command again when what failed works")
}

// forget erases a person, and shows each step.
func (c *adminClient) forget(ctx context.Context, w io.Writer, query url.Values) (people.Receipt, error) {
	var receipt *people.Receipt
	err := c.lines(ctx, http.MethodPost, "/api/forget", query, func(raw json.RawMessage) error {
		var line forgetLine
		if err := json.Unmarshal(raw, &line); err != nil {
			return fmt.Errorf("read how far the erasure is: %w", err)
		}
		if receipt = line.Receipt; receipt == nil && line.Deleted > 0 {
			fmt.Fprintf(w, "deleted %d of %s\n", line.Deleted, line.Step)
		}
		return nil
	})
	if err == nil && receipt == nil {
		err = errors.New("the bridge stopped before the person was erased everywhere; run the same command again when it runs")
	}
	if err != nil {
		return people.Receipt{}, err
	}
	return *receipt, nil
}
