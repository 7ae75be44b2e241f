package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startPatience = time.Minute
	stopPatience  = 30 * time.Second
)

// BridgeOptions say how a bridge is set.
type BridgeOptions struct {
	// Binary is the program. Required.
	Binary string
	// Dir gets the settings and the log. Required.
	Dir string
	// DataDir is where the bridge keeps its data. Defaults to a directory below
	// Dir.
	DataDir string
	// Warehouse is the URL of its database. Required.
	Warehouse string
	// Settings are the sources and destinations, in the form of the settings file.
	Settings string
}

// Bridge is the real binary, serving as a process of its own.
type Bridge struct {
	// Binary is the program.
	Binary string
	// URL and Admin are where it answers, to everybody and to operators.
	URL, Admin string
	// Log takes what it says.
	Log *os.File

	config  string
	command *exec.Cmd
	ended   chan error
}

// NewBridge prepares a bridge. Close it when it has ended.
func NewBridge(ctx context.Context, o BridgeOptions) (*Bridge, error) {
	if o.DataDir == "" {
		o.DataDir = filepath.Join(o.Dir, "data")
	}
	listen, admin, err := freePorts(ctx)
	if err != nil {
		return nil, err
	}
	settings := fmt.Sprintf("listen: %q\nadmin: {listen: %q}\ndata_dir: %q\nwarehouse: {url: %q}\n%s", listen, admin, o.DataDir, o.Warehouse, o.Settings)
	config := filepath.Join(o.Dir, "verobridge.yaml")
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(o.Dir, "bridge.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // our own directory
	if err != nil {
		return nil, err
	}
	return &Bridge{Binary: o.Binary, URL: "http://" + listen, Admin: "http://" + admin, Log: log, config: config}, nil
}

// Close closes the log.
func (b *Bridge) Close() error { return b.Log.Close() }

// Launch starts the program without waiting for it.
func (b *Bridge) Launch() error {
	// It is stopped by us, not by a context.
	b.command = exec.CommandContext(context.Background(), b.Binary, "serve", "--config", b.config) //nolint:gosec // our own binary
	b.command.Stdout, b.command.Stderr = b.Log, b.Log
	if err := b.command.Start(); err != nil {
		return fmt.Errorf("start the bridge: %w", err)
	}
	b.ended = make(chan error, 1)
	command, ended := b.command, b.ended
	go func() { ended <- command.Wait() }()
	return nil
}

// Start starts the program and waits until it takes events.
func (b *Bridge) Start(ctx context.Context) error {
	if err := b.Launch(); err != nil {
		return err
	}
	return b.AwaitReady(ctx)
}

// AwaitReady waits until the program takes events.
func (b *Bridge) AwaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for !b.ready(ctx) {
		select {
		case err := <-b.ended:
			b.ended <- err
			return fmt.Errorf("the bridge ended while it started: %w; its last words are in %s", errors.Join(err, errEnded), b.Log.Name())
		case <-ctx.Done():
			b.Kill()
			return fmt.Errorf("the bridge is not ready after %s; what it says is in %s", startPatience, b.Log.Name())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

var errEnded = errors.New("it has to run until it is told to stop")

func (b *Bridge) ready(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Admin+"/readyz", nil)
	if err != nil {
		panic(err) // the address is ours
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// PID returns the id of the process that was launched last.
func (b *Bridge) PID() int { return b.command.Process.Pid }

// Terminate asks the program to stop, without waiting until it has.
func (b *Bridge) Terminate() { _ = b.command.Process.Signal(syscall.SIGTERM) } // it may have ended already

// Kill ends the program without a chance to do anything.
func (b *Bridge) Kill() {
	_ = b.command.Process.Kill() // it may have ended already
	err := <-b.ended
	b.ended <- err
}

// Stop asks the program to stop, as a platform does, and waits until it has.
func (b *Bridge) Stop() error {
	if err := b.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the bridge: %w", err)
	}
	select {
	case err := <-b.ended:
		b.ended <- err
		if err != nil {
			return fmt.Errorf("the bridge did not stop in peace: %w; its last words are in %s", err, b.Log.Name())
		}
		return nil
	case <-time.After(stopPatience):
		b.Kill()
		return fmt.Errorf("the bridge did not stop within %s; what it says is in %s", stopPatience, b.Log.Name())
	}
}

// freePorts returns two addresses that nobody listens on.
func freePorts(ctx context.Context) (first, second string, err error) {
	var addresses [2]string
	for i := range addresses {
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", err
		}
		defer func() { _ = listener.Close() }()
		addresses[i] = listener.Addr().String()
	}
	return addresses[0], addresses[1], nil
}
