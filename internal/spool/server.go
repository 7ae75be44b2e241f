package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"
)

// startTimeout bounds the recovery of a spool at start. A large one is read
// through once.
const startTimeout = 2 * time.Minute

// lockFile is what the process holds locked to which a directory belongs.
const lockFile = "lock"

// lockTimeout is how long to wait for the directory of another process.
const lockTimeout = 2 * time.Second

// embedded is a NATS server inside this process. It listens nowhere.
type embedded struct {
	server *server.Server
	lock   *flock.Flock
}

func startEmbedded(ctx context.Context, dir string, log *slog.Logger) (*embedded, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data_dir: %w", err)
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	// One that was killed a moment ago may still be on its way out.
	waiting, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	free, err := lock.TryLockContext(waiting, lockTimeout/20)
	if err != nil && waiting.Err() == nil {
		return nil, fmt.Errorf("lock data_dir: %w", err)
	}
	if !free {
		return nil, fmt.Errorf("data_dir %s is in use by another verobridge; stop it, or give this one a data_dir of its own", dir)
	}
	e := &embedded{lock: lock}
	e.server, err = server.NewServer(&server.Options{
		ServerName:             "verobridge",
		DontListen:             true,
		JetStream:              true,
		StoreDir:               dir,
		SyncAlways:             true,
		MaxPayload:             maxPayload,
		JetStreamMaxMemory:     64 << 20,
		JetStreamMaxStore:      math.MaxInt64 / 2, // the streams have bounds of their own
		DisableJetStreamBanner: true,
		NoSigs:                 true,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("configure NATS: %w", err), lock.Unlock())
	}
	e.server.SetLoggerV2(serverLog{log}, false, false, false)
	go e.server.Start() // it reads all streams first, and may not come to an end
	if !e.server.ReadyForConnections(startTimeout) {
		return nil, fmt.Errorf("NATS did not get through the files in %s within %s; "+
			"the log lines before this one may name the file that is damaged: move its stream's folder away to start without it", dir, startTimeout)
	}
	return e, nil
}

func (e *embedded) connect() (*nats.Conn, error) {
	return nats.Connect("", nats.InProcessServer(e.server), nats.MaxReconnects(-1))
}

func (e *embedded) stop() error {
	e.server.Shutdown()
	e.server.WaitForShutdown()
	return e.lock.Unlock()
}

// defaultMaxBytes is half of the free space, so that with retries, dead letters
// and reports an eighth of it stays free: a server whose disk is full takes
// nothing until it is started again. What the spool holds already counts as
// free, so that the bound does not shrink with every restart.
func defaultMaxBytes(dir string) (int64, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, fmt.Errorf("make data_dir: %w", err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("measure free space of data_dir: %w", err)
	}
	free := int64(fs.Bavail) * int64(fs.Bsize) //nolint:unconvert // the types differ between systems
	var held int64
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		held += info.Size()
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measure data_dir: %w", err)
	}
	return (free + held) / 2, nil
}

// serverLog passes on what the embedded server has to say. Its warnings tell of
// what it has repaired by itself, as after a kill, and are no news to worry
// about; its notices are routine and left out.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Noticef(string, ...any) {}
func (l serverLog) Debugf(string, ...any)  {}
func (l serverLog) Tracef(string, ...any)  {}
func (l serverLog) Warnf(format string, v ...any) {
	l.log.Info("nats: " + fmt.Sprintf(format, v...))
}

func (l serverLog) Errorf(format string, v ...any) {
	l.log.Error("nats: " + fmt.Sprintf(format, v...))
}

func (l serverLog) Fatalf(format string, v ...any) {
	l.log.Error("nats: " + fmt.Sprintf(format, v...))
}
