// Command verobridge is a bidirectional bridge between apps that speak Segment,
// Vero, and a Postgres warehouse.
//
// This package is the only place that knows all the others: it reads the
// settings (settings.go), puts the parts together and takes them apart again in
// the right order (bridge.go), and gives them a command line (one file for each
// subcommand).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr); err != nil {
		if text := err.Error(); text != "" {
			fmt.Fprintln(os.Stderr, "verobridge:", text)
		}
		os.Exit(exitCode(err))
	}
}

// exitError is an error with an exit code of its own. Without an error in it,
// the program ends in silence: its output has said all.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

func exitCode(err error) int {
	var own exitError
	if errors.As(err, &own) {
		return own.code
	}
	return 1
}

// run is the whole program, apart from the process it runs in.
func run(ctx context.Context, args []string, env environment, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:   "verobridge",
		Short: "A Segment-compatible bridge between your apps, Vero and Postgres",
		Long: `verobridge takes product events from any Segment SDK and forwards them to Vero,
where they trigger emails. Vero sends its email events back. Both become rows in
Postgres, in the shape of Segment's warehouses.

Try it without any settings:   verobridge dev
Run it:                        verobridge serve --config verobridge.yaml`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(
		serveCommand(env),
		devCommand(env),
		mockVeroCommand(),
		tortureCommand(),
		benchCommand(),
		natsNodeCommand(),
		migrateCommand(env),
		checkCommand(env),
		sendCommand(env),
		tailCommand(env),
		mapCommand(env),
		importCommand(env),
		repairCommand(env),
		whyCommand(env),
		deadCommand(env),
		replayCommand(env),
		forgetCommand(env),
		versionCommand(),
	)
	root.CompletionOptions.HiddenDefaultCmd = true
	return root.ExecuteContext(ctx)
}

// logFlags are the flags of every subcommand that logs.
type logFlags struct {
	format string
	level  slog.Level
}

func (f *logFlags) add(cmd *cobra.Command, level slog.Level) {
	cmd.Flags().StringVar(&f.format, "log-format", "text", "form of log lines: text or json")
	cmd.Flags().TextVar(&f.level, "log-level", level, "least severe log lines to write: DEBUG, INFO, WARN or ERROR")
}

func (f *logFlags) logger(w io.Writer) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: f.level}
	switch f.format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	default:
		return nil, fmt.Errorf("--log-format must be text or json, not %q", f.format)
	}
}
