package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/mockvero"
)

func mockVeroCommand() *cobra.Command {
	var listen string
	var o mockvero.Options
	var logs logFlags
	cmd := &cobra.Command{
		Use:   "mock-vero",
		Short: "Run a Vero for development and CI",
		Long: `Run a Vero for development and CI. It answers the Track API below /api/v2 as
Vero does: its checks, its answers, its de-duplication. With --bridge it also
"sends" an email for each event and reports Sent, Delivered, Opened, Link
Clicked and so on back to the bridge. In the bridge's settings, the destination's
url is http://127.0.0.1:8082/api/v2.

Control it over HTTP:
  POST   /mock/faults  {"status":429,"retry_after":2,"count":3,"path":"events/track"}
  DELETE /mock/faults  back to normal
  GET    /mock/calls   the calls that came in
  GET    /mock/state   what they led to

A fault hits count calls, 1 if it does not say; with "count":-1 it lasts until DELETE.
Instead of a status it may have "delay_ms" or "reset":true.`,
		Example: `  verobridge mock-vero --bridge http://127.0.0.1:8080 --write-key "$VERO_WRITE_KEY"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := logs.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if o.Bridge != "" && o.WriteKey == "" {
				return errors.New("--bridge needs --write-key, a write key of the bridge's source of type vero")
			}
			if o.Form != mockvero.FormWebhook && o.Form != mockvero.FormSegment {
				return fmt.Errorf("--form must be webhook or segment, not %q", o.Form)
			}
			o.Logger = log
			mock := mockvero.New(o)
			defer mock.Close()
			var config net.ListenConfig
			listener, err := config.Listen(cmd.Context(), "tcp", listen)
			if err != nil {
				return fmt.Errorf("cannot listen on %s: %w", listen, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "mock-vero listens on http://%s/api/v2\n", listener.Addr())
			server := &http.Server{Handler: mock, ReadHeaderTimeout: 10 * time.Second}
			go func() {
				<-cmd.Context().Done()
				_ = server.Close()
			}()
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8082", "`address` to listen on")
	cmd.Flags().StringVar(&o.AuthToken, "auth-token", "", "the only `token` that is accepted (default any)")
	cmd.Flags().StringVar(&o.Bridge, "bridge", "", "`URL` of the bridge to report emails to (default none)")
	cmd.Flags().StringVar(&o.WriteKey, "write-key", "", "write `key` of the bridge's source of type vero")
	cmd.Flags().StringVar((*string)(&o.Form), "form", string(mockvero.FormWebhook), "`form` of the reports: webhook or segment")
	cmd.Flags().StringSliceVar(&o.Workflows, "workflow", nil, "`event` that triggers an email; may be repeated (default all)")
	cmd.Flags().DurationVar(&o.Window, "window", 5*time.Minute, "how long equal events are dropped")
	logs.add(cmd, slog.LevelInfo)
	return cmd
}
