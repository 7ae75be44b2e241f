package torture

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	startPatience = time.Minute
	stopPatience  = 30 * time.Second
)

// process is the bridge: the real binary, serving.
type process struct {
	binary, config, admin string
	log                   *os.File // what it says
	command               *exec.Cmd
	ended                 chan error
}

// launch starts the program without waiting for it.
func (p *process) launch() error {
	// It is stopped by us, not by a context.
	p.command = exec.CommandContext(context.Background(), p.binary, "serve", "--config", p.config) //nolint:gosec // our own binary
	p.command.Stdout, p.command.Stderr = p.log, p.log
	if err := p.command.Start(); err != nil {
		return fmt.Errorf("start the bridge: %w", err)
	}
	p.ended = make(chan error, 1)
	command, ended := p.command, p.ended
	go func() { ended <- command.Wait() }()
	return nil
}

// start starts the program and waits until it takes events.
func (p *process) start(ctx context.Context) error {
	if err := p.launch(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for !p.ready(ctx) {
		select {
		case err := <-p.ended:
			p.ended <- err
			return fmt.Errorf("the bridge ended while it started: %w; its last words are in %s", errors.Join(err, errEnded), p.log.Name())
		case <-ctx.Done():
			return fmt.Errorf("the bridge is not ready after %s; what it says is in %s", startPatience, p.log.Name())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

var errEnded = errors.New("it has to run until it is told to stop")

func (p *process) ready(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.admin+"/readyz", nil)
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

// kill ends the program without a chance to do anything.
func (p *process) kill() {
	_ = p.command.Process.Kill() // it may have ended already
	err := <-p.ended
	p.ended <- err
}

// stop asks the program to stop, as a platform does, and waits until it has.
func (p *process) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the bridge: %w", err)
	}
	select {
	case err := <-p.ended:
		p.ended <- err
		if err != nil {
			return fmt.Errorf("the bridge did not stop in peace: %w; its last words are in %s", err, p.log.Name())
		}
		return nil
	case <-time.After(stopPatience):
		p.kill()
		return fmt.Errorf("the bridge did not stop within %s; what it says is in %s", stopPatience, p.log.Name())
	}
}
