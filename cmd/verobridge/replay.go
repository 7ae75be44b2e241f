package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func replayCommand(env environment) *cobra.Command {
	var admin adminFlags
	var destination, from, to, source, event, user string
	var rate float64
	var force, yes bool
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Send events that came in before to a destination again",
		Long: `Send events that came in before to a destination again: after it was repaired,
added, or its mapping changed. The running bridge keeps events for seven days.
They keep their messageId and the time at which they were received, and are
routed and mapped by the settings of today.

First it counts, then it asks. Left out are events that were delivered (see
--force), dead letters (see verobridge dead retry), and what waits for its turn
anyway. To run it twice is safe. Events go out behind what comes in, at most
--rate a second, and go on doing so when this command is stopped.

Vero takes equal events for one only within minutes: what --force sends again to
Vero counts there again.`,
		Example: `  verobridge replay --destination vero --from 2026-11-20 --to 2026-11-21
  verobridge replay --destination posthog --from 24h --source app --event "Order Completed"
  verobridge replay --destination vero --from 1h --user 42 --force --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := admin.client(env)
			if err != nil {
				return err
			}
			query := url.Values{"destination": {destination}, "from": {from}, "to": {to}, "source": {source}, "event": {event}, "user": {user}}
			if force {
				query.Set("force", "true")
			}
			if rate > 0 {
				query.Set("rate", strconv.FormatFloat(rate, 'f', -1, 64))
			}
			var plan replayLine
			if err := client.call(cmd.Context(), http.MethodGet, "/api/replay", query, &plan); err != nil {
				return err
			}
			printPlan(cmd.OutOrStdout(), plan)
			if plan.ToSend == 0 {
				return nil
			}
			if err := confirm(cmd, yes, fmt.Sprintf("send %d events to %s again?", plan.ToSend, destination)); err != nil {
				return err
			}
			if err := client.queueReplay(cmd.Context(), cmd.OutOrStdout(), query); err != nil {
				return err
			}
			return client.watchReplay(cmd.Context(), cmd.OutOrStdout(), destination)
		},
	}
	admin.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&destination, "destination", "", "`name` of the destination (required)")
	flags.StringVar(&from, "from", "", "events received at this `time` and later, such as 2026-11-20T08:00:00Z, or an age such as 24h (required)")
	flags.StringVar(&to, "to", "", "events received before this `time` (default now)")
	flags.StringVar(&source, "source", "", "only events of a source, by `name`")
	flags.StringVar(&event, "event", "", "only events with a `name`")
	flags.StringVar(&user, "user", "", "only events of a person, by userId or anonymousId")
	flags.Float64Var(&rate, "rate", 0, "events a second (default 50)")
	flags.BoolVar(&force, "force", false, "send also what was delivered, and dead letters")
	flags.BoolVarP(&yes, "yes", "y", false, "do not ask")
	for _, required := range []string{"destination", "from"} {
		if err := cmd.MarkFlagRequired(required); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return cmd
}

func printPlan(w io.Writer, plan replayLine) {
	fmt.Fprintf(w, "%8d events match, of those kept since %s\n", plan.Matching, plan.KeptSince.Local().Format(time.DateTime))
	for _, line := range []struct {
		n    int
		text string
	}{
		{plan.Delivered, "were delivered; --force sends them again"},
		{plan.Dead, "failed for good or are ambiguous; verobridge dead retry sends those again that were not dropped"},
		{plan.Waiting, "wait for their turn, or for their person, and come by themselves"},
		{plan.Suppressed, "are about people who were erased, and are never sent"},
	} {
		if line.n > 0 {
			fmt.Fprintf(w, "%8d %s\n", line.n, line.text)
		}
	}
	fmt.Fprintf(w, "%8d to send\n", plan.ToSend)
}

// queueReplay queues what the plan says, and shows how far that is.
func (c *adminClient) queueReplay(ctx context.Context, w io.Writer, query url.Values) error {
	done := false
	err := c.lines(ctx, http.MethodPost, "/api/replay", query, func(raw json.RawMessage) error {
		var line replayLine
		if err := json.Unmarshal(raw, &line); err != nil {
			return fmt.Errorf("read how far the replay is: %w", err)
		}
		done = done || line.Done
		fmt.Fprintf(w, "queued %d\n", line.Queued)
		return nil
	})
	if err == nil && !done {
		return fmt.Errorf("the bridge stopped before everything was queued; run the same command again when it runs")
	}
	return err
}

// watchReplay shows how many events are left until none is.
func (c *adminClient) watchReplay(ctx context.Context, w io.Writer, destination string) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		var queue queueLine
		if err := c.call(ctx, http.MethodGet, "/api/replay/queue", url.Values{"destination": {destination}}, &queue); err != nil {
			return err
		}
		if queue.Left == 0 {
			fmt.Fprintln(w, "all are sent; verobridge.deliveries shows what became of them")
			return nil
		}
		fmt.Fprintf(w, "%d left to send; it goes on if you stop watching\n", queue.Left)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
