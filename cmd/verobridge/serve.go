package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/spool"
)

// stopTimeout is how long serve takes to stop at most. Container platforms
// kill after 30 seconds.
const stopTimeout = 25 * time.Second

func serveCommand(env environment) *cobra.Command {
	var config string
	var logs logFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the bridge",
		Long: `Run the bridge until it gets SIGINT or SIGTERM, then stop in order: first the
HTTP doors, then the deliveries, last the spool. Nothing that was accepted is
lost if it is killed instead.

Postgres and Vero may be down at start: events are kept and delivered later.`,
		Example: `  verobridge serve --config verobridge.yaml
  DATABASE_URL=postgres://… APP_WRITE_KEY=… VERO_WRITE_KEY=… VERO_AUTH_TOKEN=… verobridge serve`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := loadSettings(config, env)
			if err != nil {
				return err
			}
			log, err := logs.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return runBridge(cmd.Context(), s, log)
		},
	}
	configFlag(cmd, &config)
	logs.add(cmd, slog.LevelInfo)
	return cmd
}

// runBridge runs the bridge until ctx ends. When only that helps its spool, it is
// stopped and started anew.
func runBridge(ctx context.Context, s settings, log *slog.Logger) error {
	for {
		b, err := startBridge(ctx, s, log)
		if err != nil {
			return err
		}
		if err = b.wait(ctx); !errors.Is(err, spool.ErrStuck) || ctx.Err() != nil {
			return err
		}
		log.Error("starting anew", "error", err)
	}
}

// wait runs the bridge until ctx ends or a part of it fails, and stops it.
func (b *bridge) wait(ctx context.Context) error {
	var failed error
	select {
	case <-ctx.Done():
		b.log.Info("stopping")
	case failed = <-b.failed:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(failed, b.stop(ctx))
}
