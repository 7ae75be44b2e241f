package connlimit

import (
	"errors"
	"net"
	"syscall"
	"time"
)

const (
	// progress is what a client sends for its connection to count as new. A phone
	// with a bad connection takes two seconds for it, who sends a byte at a time
	// never gets there.
	progress = 4 << 10
	// complaints is how often at most a lack of file descriptors is logged.
	complaints = time.Minute
)

// Listen returns a listener whose connections do not get old while something
// arrives in them, and that closes some, as at the limit, when the process has no
// file descriptor left for another. Closing it closes from.
func (l *Limiter) Listen(from net.Listener) net.Listener {
	return &listener{Listener: from, limiter: l}
}

type listener struct {
	net.Listener
	limiter    *Limiter
	complained time.Time
}

// Accept implements net.Listener. It fails where there is no file descriptor;
// http.Server waits a moment then, and tries again.
func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		l.limiter.makeRoom()
		if now := l.limiter.o.Now(); now.Sub(l.complained) >= complaints {
			l.complained = now
			l.limiter.o.Logger.Warn("no file descriptor is left for another connection; the slowest of the busiest addresses are closed",
				"listener", l.Addr().String(), "cure", "raise the limit of open files, or lower limits.connections")
		}
	}
	if err != nil {
		return nil, err
	}
	return &conn{Conn: accepted, limiter: l.limiter}, nil
}

// conn tells its limiter that something arrives.
type conn struct {
	net.Conn
	limiter *Limiter
	arrived int // since the limiter was told; http.Server reads from one goroutine at a time
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.arrived += n; c.arrived >= progress {
		c.arrived = 0
		c.limiter.refresh(c)
	}
	return n, err
}
