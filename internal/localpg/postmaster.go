package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pollInterval is how often we look whether the server has come or gone.
const pollInterval = 10 * time.Millisecond

// postmaster is what a server says of itself in postmaster.pid. Its lines are
// part of Postgres' interface to pg_ctl (postgres source, utils/pidfile.h).
type postmaster struct {
	pid   int
	ready bool
}

// readPostmaster reads the file. ok is false where there is none, or where it
// is not written in full yet.
func readPostmaster(data string) (p postmaster, ok bool) {
	raw, err := os.ReadFile(pidFile(data))
	if err != nil {
		return postmaster{}, false
	}
	lines := strings.Split(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil {
		return postmaster{}, false
	}
	return postmaster{pid: pid, ready: len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"}, true
}

func pidFile(data string) string { return filepath.Join(data, "postmaster.pid") }

// stopOrphan makes the cluster free to start: it stops a server that an earlier
// run left behind, and removes a file that a killed one left behind. The caller
// holds the lock, so nobody uses that server.
func stopOrphan(ctx context.Context, data string) error {
	p, ok := readPostmaster(data)
	if !ok {
		return nil
	}
	// The system gives a number to another process sooner or later, so a live
	// process counts only if it was started on this very directory.
	running := func() bool { return strings.Contains(commandLine(ctx, p.pid), data) }
	if running() {
		if err := syscall.Kill(p.pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop the server left behind, process %d: %w", p.pid, err)
		}
		if err := poll(ctx, func() bool { return !running() }); err != nil {
			return fmt.Errorf("wait for the server left behind, process %d: %w", p.pid, err)
		}
	}
	if err := os.Remove(pidFile(data)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// poll waits until done says so, or ctx ends.
func poll(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
