package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// startTimeout bounds how long a server may take to answer. Recovery after a
// crash is part of it.
const startTimeout = time.Minute

// Options says where a server lives and how it is set.
type Options struct {
	// Dir holds the server's data, log and port. It is made if it does not
	// exist, and used again if it does. It is required.
	Dir string
	// BinDir is where initdb and postgres are. Defaults to the newest that are
	// installed.
	BinDir string
	// Settings are settings of postgresql.conf, such as fsync: off. Defaults to
	// none.
	Settings map[string]string
	// Logger takes what happens. Defaults to a logger that discards.
	Logger *slog.Logger
}

// Server is a Postgres that runs as our child.
type Server struct {
	port    int
	process *os.Process
	exited  chan struct{} // closed when the process is gone
	lock    *os.File
}

// Start runs a server in o.Dir and returns when it answers. ctx bounds the
// start only; the server runs until Stop. ErrNotInstalled says that there is
// no Postgres to run.
func Start(ctx context.Context, o Options) (*Server, error) {
	s, err := start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("start private postgres: %w", err)
	}
	return s, nil
}

func start(ctx context.Context, o Options) (_ *Server, err error) {
	if o.Dir == "" {
		return nil, errors.New("no directory given")
	}
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	path, patterns := os.Getenv("PATH"), installDirs
	if o.BinDir != "" {
		path, patterns = o.BinDir, nil
	}
	bin, err := findBinaries(path, patterns)
	if err != nil {
		return nil, err
	}
	account, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := account.dir(o.Dir)
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = lock.Close()
		}
	}()
	data := filepath.Join(dir, "data")
	if err := stopOrphan(ctx, data); err != nil {
		return nil, err
	}
	if err := initCluster(ctx, bin, dir, account, o.Settings["fsync"] != "off"); err != nil {
		return nil, err
	}
	s, err := launch(ctx, bin.postgres, dir, account, o.Settings)
	if err != nil {
		return nil, err
	}
	s.lock = lock
	logger.InfoContext(ctx, "private postgres started", "dir", dir, "port", s.port)
	return s, nil
}

// launch starts the server until it answers. When a server was killed, its
// children keep the shared memory for a moment, and the next one gives up at
// once; the port can be taken between our look and the server's. So it tries
// again until ctx ends or the failure stays the same for a while.
func launch(ctx context.Context, postgres, dir string, a *account, settings map[string]string) (*Server, error) {
	const attempts = 10
	for attempt := 1; ; attempt++ {
		s, err := launchOnce(ctx, postgres, dir, a, settings)
		if err == nil || attempt == attempts || ctx.Err() != nil {
			return s, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(attempt) * 20 * time.Millisecond):
		}
	}
}

func launchOnce(ctx context.Context, postgres, dir string, a *account, settings map[string]string) (*Server, error) {
	port, err := choosePort(ctx, dir)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "postgres.log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	// ctx is of the start; the server runs until it is stopped.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), postgres, arguments(data, port, settings)...)
	cmd.Dir, cmd.Env = dir, environment()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes(a)
	exited, err := run(cmd)
	if err != nil {
		return nil, err
	}
	s := &Server{port: port, process: cmd.Process, exited: exited}
	err = poll(ctx, func() bool { return s.gone() || s.answers(data) })
	switch {
	case err != nil:
		s.kill()
		return nil, fmt.Errorf("wait for the server to answer: %w", err)
	case s.gone():
		said, _ := io.ReadAll(io.NewSectionReader(log, before, 1<<20))
		return nil, fmt.Errorf("the server gave up: %s", tail(said))
	default:
		return s, nil
	}
}

func arguments(data string, port int, settings map[string]string) []string {
	args := []string{
		"-D", data,
		"-c", "listen_addresses=127.0.0.1", "-c", "port=" + strconv.Itoa(port),
		"-c", "unix_socket_directories=",
	}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	return args
}

// run starts the command and returns a channel that is closed when it is gone.
// Linux sends the parent-death signal when the starting thread dies, not the
// program, so one goroutine keeps that thread for the life of the command.
func run(cmd *exec.Cmd) (exited chan struct{}, err error) {
	started := make(chan error)
	exited = make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
		}
	}()
	return exited, <-started
}

// URL returns where the server answers, as its superuser.
func (s *Server) URL() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
}

// Stop shuts the server down: connections are cut, transactions rolled back,
// the data is left clean. When ctx ends before that is done, the server is
// killed, which its next start repairs, and the error says so. To stop a
// stopped server does nothing.
func (s *Server) Stop(ctx context.Context) error {
	defer func() { _ = s.lock.Close() }()
	if err := s.process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop private postgres: %w", err)
	}
	select {
	case <-s.exited:
		return nil
	case <-ctx.Done():
		s.kill()
		return fmt.Errorf("stop private postgres: %w", ctx.Err())
	}
}

// kill ends the server and its children at once, without a last checkpoint.
func (s *Server) kill() {
	_ = s.process.Signal(syscall.SIGQUIT) // it is gone, or it will be
	<-s.exited
}

func (s *Server) gone() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

func (s *Server) answers(data string) bool {
	p, ok := readPostmaster(data)
	return ok && p.pid == s.process.Pid && p.ready
}
