package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/siege"
)

// attackCommand is what the siege of torture runs, several times. People have no
// use for it.
func attackCommand() *cobra.Command {
	var target siege.Target
	cmd := &cobra.Command{
		Use:    "attack <host:port> <attack=strength>...",
		Short:  "Attack a bridge until the input ends",
		Hidden: true,
		Args:   cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, arguments []string) error {
			target.Address = arguments[0]
			var orders []siege.Order
			for _, text := range arguments[1:] {
				o, err := siege.ParseOrder(text)
				if err != nil {
					return err
				}
				orders = append(orders, o)
			}
			if err := siege.Yield(); err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			go func() {
				_, _ = io.Copy(io.Discard, cmd.InOrStdin()) // its end is what counts
				cancel()
			}()
			tally, err := siege.Run(ctx, target, orders, func() { fmt.Fprintln(cmd.OutOrStdout(), "holding") })
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(tally)
		},
	}
	cmd.Flags().StringVar(&target.From, "from", "", "`address` to attack from")
	cmd.Flags().StringVar(&target.WriteKey, "write-key", "", "a `key` of an app")
	cmd.Flags().StringVar(&target.BrowserKey, "browser-key", "", "a `key` of a page")
	cmd.Flags().StringVar(&target.Origin, "origin", "", "the `origin` of that page")
	cmd.Flags().StringVar(&target.WebhookKey, "webhook-key", "", "the `key` that Vero posts to")
	return cmd
}
