package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/localpg"
	"github.com/verobridge/verobridge/internal/mockvero"
)

// What dev uses. None of it is a secret: everything listens on loopback.
const (
	devAppKey    = "dev-app-key"
	devVeroKey   = "dev-vero-key"
	devVeroToken = "dev-vero-token"
)

func devCommand(env environment) *cobra.Command {
	d := &dev{env: env}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this machine, without any settings",
		Long: `Run everything on this machine, without any settings: a private Postgres, the
bridge, a mock of Vero, and a small shop whose product events come in through
the real analytics-go client. Nothing leaves this machine.

It needs the Postgres programs (apt-get install postgresql, or brew install
postgresql), not a running server. Data is kept in --data-dir and used again
next time, with verobridge.yaml, the settings that the other commands take with
--config. Ctrl-C stops all of it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.out = cmd.OutOrStdout()
			log, err := d.logs.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			d.log = log
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&d.dataDir, "data-dir", "./verobridge-data", "`folder` of the data")
	cmd.Flags().StringVar(&d.listen, "listen", "127.0.0.1:8080", "`address` of the bridge; a free port is used if it is taken")
	cmd.Flags().StringVar(&d.admin, "admin", "127.0.0.1:8081", "`address` of the console, metrics and health; a free port is used if it is taken")
	cmd.Flags().StringVar(&d.password, "password", "", "`password` of the console, to see its login; without one it is open, on this machine alone")
	cmd.Flags().StringVar(&d.vero, "mock-vero", "127.0.0.1:8082", "`address` of the mock of Vero; a free port is used if it is taken")
	cmd.Flags().DurationVar(&d.pace, "pace", 200*time.Millisecond, "time between two product events; 0 sends none")
	d.logs.add(cmd, slog.LevelWarn)
	return cmd
}

// dev is everything on one machine.
type dev struct {
	dataDir, listen, admin, vero string
	password                     string
	pace                         time.Duration
	logs                         logFlags
	env                          environment

	out     io.Writer
	log     *slog.Logger
	bridge  *bridge
	closers []func(context.Context) error
}

func (d *dev) run(ctx context.Context) error {
	err := d.start(ctx)
	if err == nil {
		err = d.watch(ctx)
		fmt.Fprintln(d.out, "\nstopping")
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*stopTimeout)
	defer cancel()
	problems := []error{err}
	for i := len(d.closers) - 1; i >= 0; i-- {
		problems = append(problems, d.closers[i](stopping))
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		problems[0] = nil // stopped while starting
	}
	return errors.Join(problems...)
}

func (d *dev) onStop(stop func(context.Context) error) { d.closers = append(d.closers, stop) }

// start brings up Postgres, the mock of Vero, the bridge and the shop.
func (d *dev) start(ctx context.Context) error {
	fmt.Fprintln(d.out, "starting a private Postgres")
	database, err := localpg.Start(ctx, localpg.Options{Dir: filepath.Join(d.dataDir, "postgres"), Logger: d.log})
	if err != nil {
		return err
	}
	d.onStop(database.Stop)

	bridgeAddr, err := freeAddress(ctx, d.listen)
	if err != nil {
		return err
	}
	veroURL, stopMock, err := d.startMock(ctx, "http://"+bridgeAddr)
	if err != nil {
		return err
	}
	adminAddr, err := freeAddress(ctx, d.admin)
	if err != nil {
		return err
	}

	config, err := d.writeSettings(bridgeAddr, adminAddr, veroURL, database.URL())
	if err != nil {
		return errors.Join(err, stopMock())
	}
	s, err := loadSettings(config, d.env)
	if err != nil {
		return errors.Join(err, stopMock())
	}
	fmt.Fprintln(d.out, "starting the bridge")
	if d.bridge, err = startBridge(ctx, s, d.log); err != nil {
		return errors.Join(err, stopMock())
	}
	d.onStop(d.bridge.stop)
	// Before the bridge, which takes the last of its emails.
	d.onStop(func(context.Context) error { return stopMock() })
	d.introduce(veroURL, database.URL(), config)
	return d.startShop(ctx)
}

func (d *dev) startMock(ctx context.Context, bridgeURL string) (url string, stop func() error, err error) {
	listener, err := listenNear(ctx, d.vero)
	if err != nil {
		return "", nil, err
	}
	mock := mockvero.New(mockvero.Options{
		AuthToken: devVeroToken,
		Bridge:    bridgeURL,
		WriteKey:  devVeroKey,
		Logger:    d.log,
	})
	server := &http.Server{Handler: mock, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	stop = func() error {
		err := server.Close()
		mock.Close()
		return err
	}
	return "http://" + listener.Addr().String(), stop, nil
}

// startShop sends product events until dev stops.
func (d *dev) startShop(ctx context.Context) error {
	if d.pace <= 0 {
		return nil
	}
	client, err := newShopClient("http://"+d.bridge.publicAddr, devAppKey, d.log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { newShop(client).trade(ctx, d.pace) })
	d.onStop(func(context.Context) error {
		cancel()
		work.Wait()
		return client.Close()
	})
	return nil
}

func (d *dev) introduce(veroURL, databaseURL, config string) {
	api := "http://" + d.bridge.publicAddr
	fmt.Fprintf(d.out, `
verobridge runs; everything is on this machine and nothing leaves it.

  Segment API    %[1]s   write key %[2]s
  from Vero      %[1]s/webhooks/vero/%[3]s
  mock of Vero   %[4]s/mock/state
  console        http://%[5]s   look here first
  metrics        http://%[5]s/metrics
  data           %[6]s   (kept for next time; remove it to start over)

Send an event of your own:

  curl -u %[2]s: %[1]s/v1/track -d '{"userId":"you","event":"Signed Up","context":{"traits":{"email":"you@example.com"}}}'

Ask what became of it, and look at the emails that came back:

  %[8]s why you@example.com --config %[9]s
  %[8]s tail --fate --config %[9]s
  %[8]s dead list --config %[9]s
  psql '%[7]s' -c 'select user_id, event_text, received_at from app.tracks order by received_at desc limit 5'
  psql '%[7]s' -c 'select user_id, anonymous_id, event_text, "timestamp" from vero.tracks order by received_at desc limit 5'

Ctrl-C stops everything.

`, api, devAppKey, devVeroKey, veroURL, d.bridge.adminAddr, d.dataDir, databaseURL, os.Args[0], config)
}

// listenNear listens on an address, or on a free port of the same host if the
// port is taken.
func listenNear(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err == nil {
		return listener, nil
	}
	host, _, splitErr := net.SplitHostPort(address)
	if splitErr != nil {
		return nil, fmt.Errorf("%q is no address such as 127.0.0.1:8080: %w", address, splitErr)
	}
	listener, err = config.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", host, err)
	}
	return listener, nil
}

// freeAddress returns an address that can be listened on, if possible this one.
func freeAddress(ctx context.Context, address string) (string, error) {
	listener, err := listenNear(ctx, address)
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
