package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// What the program is asked to do as a process of its own: see Generate and
// ServeBare.
const (
	GenerateCommand = "generate"
	BareCommand     = "bare"
)

// generate sends a load from a process of its own.
func (r *run) generate(ctx context.Context, l load) (sent, error) {
	plan, err := json.Marshal(l)
	if err != nil {
		return sent{}, err
	}
	command := exec.CommandContext(ctx, r.options.Binary, "bench", GenerateCommand) //nolint:gosec // our own binary
	var out bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(plan), &out, os.Stderr
	if err := command.Run(); err != nil {
		return sent{}, fmt.Errorf("generate load: %w", err)
	}
	var s sent
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		return sent{}, fmt.Errorf("read what the generator says: %w", err)
	}
	if s.Failed > 0 && s.Events == 0 {
		return s, fmt.Errorf("%s took none of the events; is the write key right?", l.URL)
	}
	return s, nil
}

// bareServer is the HTTP limit: a process that does what every server has to.
type bareServer struct {
	url     string
	command *exec.Cmd
	input   io.Closer
}

func (r *run) startBare(ctx context.Context) (*bareServer, error) {
	command := exec.CommandContext(ctx, r.options.Binary, "bench", BareCommand) //nolint:gosec // our own binary
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the bare server: %w", err)
	}
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the bare server: %w", err), input.Close(), command.Wait())
	}
	return &bareServer{url: strings.TrimSpace(address), command: command, input: input}, nil
}

func (b *bareServer) stop() error { return errors.Join(b.input.Close(), b.command.Wait()) }

// ServeBare serves what only reads a request's body and answers, until in ends.
// It writes its URL to out.
func ServeBare(ctx context.Context, in io.Reader, out io.Writer) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return // the client is gone
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"success":true}`)
	})}
	go func() {
		_, _ = io.Copy(io.Discard, in) // whoever started it is done, or gone
		_ = server.Close()
	}()
	if _, err := fmt.Fprintf(out, "http://%s\n", listener.Addr()); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
