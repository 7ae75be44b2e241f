package connlimit_test

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/verobridge/verobridge/internal/connlimit"
)

// Read reads whole, whatever is asked for.
func (c *conn) Read(p []byte) (int, error) { return len(p), nil }

// source is a listener that accepts connections of a crowd, or nothing.
type source struct {
	net.Listener
	next net.Conn
	err  error
}

func (s *source) Accept() (net.Conn, error) { return s.next, s.err }
func (s *source) Addr() net.Addr            { return &net.TCPAddr{} }

// accept brings a connection in through a listener of the limiter.
func (c *crowd) accept(t *testing.T, name, address string) net.Conn {
	t.Helper()
	c.conns[name] = &conn{crowd: c, name: name, address: net.TCPAddr{IP: net.ParseIP(address)}}
	accepted, err := c.limiter.Listen(&source{next: c.conns[name]}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	return accepted
}

// An upload that goes on does not get old; a byte now and then does not help.
func TestWhoSendsDoesNotGetOld(t *testing.T) {
	t.Parallel()
	c := newCrowd(3, nil)
	upload, trickle := c.accept(t, "upload", "192.0.2.1"), c.accept(t, "trickle", "192.0.2.1")
	for _, conn := range []net.Conn{upload, trickle} {
		c.limiter.Track(conn, http.StateNew)
		c.limiter.Track(conn, http.StateActive)
	}
	c.does("idle", "192.0.2.1", http.StateNew)
	c.now = c.now.Add(1)
	for conn, size := range map[net.Conn]int{upload: 4 << 10, trickle: 1} {
		if _, err := conn.Read(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	c.does("newcomer", "192.0.2.1", http.StateNew)
	c.does("another", "192.0.2.1", http.StateNew)
	c.lost(t, "trickle", "idle")
}

// Without file descriptors connections go as at the limit, and it is said once.
func TestNoFileDescriptors(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	closed := &crowd{conns: make(map[string]*conn)}
	closed.limiter = connlimit.New(connlimit.Options{Limit: 100, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	closed.does("first", "192.0.2.1", http.StateNew)
	closed.does("second", "192.0.2.1", http.StateNew)
	listener := closed.limiter.Listen(&source{err: os.NewSyscallError("accept4", syscall.EMFILE)})
	for range 3 {
		if _, err := listener.Accept(); !errors.Is(err, syscall.EMFILE) {
			t.Errorf("error is %v, want the one of accept", err)
		}
	}
	closed.lost(t, "first", "second")
	if n := strings.Count(lines.String(), "level=WARN"); n != 1 {
		t.Errorf("it is said %d times, want once:\n%s", n, lines.String())
	}
}
