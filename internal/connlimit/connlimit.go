package connlimit

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// share is the part of the limit that is cleared at once when it is reached, so
// that a flood of connections is not answered by looking through all of them for
// each.
const share = 16

// Options configures New.
type Options struct {
	// Limit is the most connections there may be. Required.
	Limit int
	// Closed counts the connections that had to go. Defaults to not counted.
	Closed prometheus.Counter
	// Logger is told when there are no file descriptors. Defaults to
	// slog.Default().
	Logger *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Limiter knows the connections of a server.
type Limiter struct {
	o  Options
	mu sync.Mutex
	// since is when something happened last in each connection.
	since map[net.Conn]time.Time
}

// New returns a limiter for one server.
func New(o Options) *Limiter {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Limiter{o: o, since: make(map[net.Conn]time.Time)}
}

// Track is a server's http.Server.ConnState. It closes others when a connection is
// one too many.
func (l *Limiter) Track(conn net.Conn, state http.ConnState) {
	if secure, is := conn.(*tls.Conn); is {
		conn = secure.NetConn() // closed without a farewell, which would have to be waited for
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(l.since, conn)
		return
	}
	if _, known := l.since[conn]; !known && state != http.StateNew {
		return // closed by us; its last request is coming to its end
	}
	l.since[conn] = l.o.Now()
	if len(l.since) > l.o.Limit {
		l.clear(max(1, l.o.Limit/share))
	}
}

// refresh notes that something arrived in a connection.
func (l *Limiter) refresh(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.since[conn]; known {
		l.since[conn] = l.o.Now()
	}
}

// makeRoom closes as many connections as go at the limit.
func (l *Limiter) makeRoom() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear(min(len(l.since), max(1, l.o.Limit/share)))
}

// clear closes n connections, of as many at least.
func (l *Limiter) clear(n int) {
	for _, conn := range l.choose(n) {
		delete(l.since, conn)
		_ = conn.Close() // it is gone either way
		if l.o.Closed != nil {
			l.o.Closed.Inc()
		}
	}
}

// choose returns the n connections that go: of the addresses with the most, so
// that none of those keeps more than another, the oldest. Where that leaves a
// choice, because a level more for all of them would be too many, age decides.
func (l *Limiter) choose(n int) []net.Conn {
	byClient := make(map[netip.Prefix][]net.Conn)
	for conn := range l.since {
		client := clientOf(conn)
		byClient[client] = append(byClient[client], conn)
	}
	// keep is the smallest number that each may keep so that fewer than n go.
	keep := 1 + sort.Search(len(l.since), func(keep int) bool { return excess(byClient, keep+1) < n })
	var chosen, next []net.Conn
	for _, conns := range byClient {
		if len(conns) >= keep {
			l.sortByAge(conns)
			chosen = append(chosen, conns[:len(conns)-keep]...)
			next = append(next, conns[len(conns)-keep])
		}
	}
	l.sortByAge(next)
	chosen = append(chosen, next[:n-len(chosen)]...)
	l.sortByAge(chosen)
	return chosen
}

// excess counts the connections above a number for each client.
func excess(byClient map[netip.Prefix][]net.Conn, keep int) int {
	n := 0
	for _, conns := range byClient {
		n += max(0, len(conns)-keep)
	}
	return n
}

func (l *Limiter) sortByAge(conns []net.Conn) {
	slices.SortFunc(conns, func(a, b net.Conn) int { return l.since[a].Compare(l.since[b]) })
}

// clientOf returns whose connection it is: an IPv4 address or an IPv6 network.
func clientOf(conn net.Conn) netip.Prefix {
	remote, is := conn.RemoteAddr().(*net.TCPAddr)
	if !is {
		return netip.Prefix{}
	}
	address := remote.AddrPort().Addr().Unmap().WithZone("")
	bits := 64
	if address.Is4() {
		bits = 32
	}
	client, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address at all
	}
	return client
}
