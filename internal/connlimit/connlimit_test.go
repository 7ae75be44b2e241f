package connlimit_test

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/verobridge/verobridge/internal/connlimit"
)

// crowd is a server's connections, each closed by the limiter or not.
type crowd struct {
	limiter *connlimit.Limiter
	now     time.Time
	conns   map[string]*conn
	closed  []string
}

// conn is a connection of an address. Nothing but its address and its end is
// looked at.
type conn struct {
	net.Conn
	crowd   *crowd
	name    string
	address net.TCPAddr
}

func (c *conn) RemoteAddr() net.Addr { return &c.address }
func (c *conn) Close() error {
	c.crowd.closed = append(c.crowd.closed, c.name)
	return nil
}

func newCrowd(limit int, closed prometheus.Counter) *crowd {
	c := &crowd{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), conns: make(map[string]*conn)}
	c.limiter = connlimit.New(connlimit.Options{Limit: limit, Closed: closed, Now: func() time.Time { return c.now }})
	return c
}

// does tells the limiter of a connection's state, a second after the last one.
func (c *crowd) does(name, address string, state http.ConnState) {
	c.now = c.now.Add(time.Second)
	if c.conns[name] == nil {
		c.conns[name] = &conn{crowd: c, name: name, address: net.TCPAddr{IP: net.ParseIP(address), Port: len(c.conns)}}
	}
	c.limiter.Track(c.conns[name], state)
}

func (c *crowd) lost(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, c.closed); diff != "" {
		t.Errorf("closed (-want +got):\n%s", diff)
	}
}

// Who holds most loses, and of his connections the one in which nothing has
// happened for longest.
func TestTheLargestClientLoses(t *testing.T) {
	t.Parallel()
	c := newCrowd(4, nil)
	c.does("honest", "192.0.2.1", http.StateNew)
	c.does("first", "192.0.2.66", http.StateNew)
	c.does("second", "192.0.2.66", http.StateNew)
	c.does("third", "192.0.2.66", http.StateNew)
	c.does("first", "192.0.2.66", http.StateActive)
	c.lost(t)
	c.does("newcomer", "192.0.2.2", http.StateNew)
	c.lost(t, "second")
	c.does("second", "192.0.2.66", http.StateClosed)
	c.does("fourth", "192.0.2.66", http.StateNew)
	c.lost(t, "second", "third")
}

// Where all come from one address, as behind a proxy, or each from his own, age
// alone decides; who is served does not age.
func TestTheOldestLoses(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{"one address": "192.0.2.1", "an address each": "192.0.2.%d"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const limit, slow = 100, 1000
			addressOf := func(i int) string {
				if name == "one address" {
					return address
				}
				return fmt.Sprintf("198.51.%d.%d", i/250, i%250)
			}
			closed := prometheus.NewCounter(prometheus.CounterOpts{Name: "closed"})
			c := newCrowd(limit, closed)
			c.does("served", addressOf(slow), http.StateNew)
			for i := range slow {
				c.does(fmt.Sprintf("slow-%04d", i), addressOf(i), http.StateNew)
				if i%20 == 0 {
					c.does("served", addressOf(slow), http.StateActive)
					c.does("served", addressOf(slow), http.StateIdle)
				}
			}
			if slices.Contains(c.closed, "served") {
				t.Error("who is served was shut out")
			}
			if !slices.IsSorted(c.closed) {
				t.Errorf("not the oldest were closed first: %v", c.closed)
			}
			if left := slow + 1 - len(c.closed); left > limit || left < limit*9/10 {
				t.Errorf("%d connections are left, want about %d", left, limit)
			}
			if got := int(testutil.ToFloat64(closed)); got != len(c.closed) {
				t.Errorf("%d are counted, %d were closed", got, len(c.closed))
			}
		})
	}
}

// Of many who hold one connection and one who holds many, it is his that go, also
// when more are to go than he has too many.
func TestTheManyAreSpared(t *testing.T) {
	t.Parallel()
	const limit, his = 256, 16 // as many as go at once
	c := newCrowd(limit, nil)
	for i := range limit - his + 1 {
		c.does(fmt.Sprintf("honest-%03d", i), fmt.Sprintf("198.51.%d.%d", i/250, i%250), http.StateNew)
	}
	for i := range his {
		c.does(fmt.Sprintf("his-%02d", i), "192.0.2.66", http.StateNew)
	}
	want := []string{"honest-000"} // all hold one now, and it is the oldest
	for i := range his - 1 {
		want = append(want, fmt.Sprintf("his-%02d", i))
	}
	c.lost(t, want...)
}

// A network of IPv6 is one client, however many addresses it has, and an IPv4
// address is the same in either notation.
func TestAddresses(t *testing.T) {
	t.Parallel()
	c := newCrowd(4, nil)
	c.does("honest", "2001:db8:1::1", http.StateNew)
	c.does("a", "2001:db8:2::1", http.StateNew)
	c.does("b", "2001:db8:2::2", http.StateNew)
	c.does("mapped", "::ffff:192.0.2.1", http.StateNew)
	c.does("plain", "192.0.2.1", http.StateNew)
	c.lost(t, "a")
	c.does("again", "192.0.2.1", http.StateNew)
	c.lost(t, "a", "mapped")
}

// Connections that end make room.
func TestThoseWhoLeaveAreForgotten(t *testing.T) {
	t.Parallel()
	c := newCrowd(2, nil)
	for i := range 100 {
		name := fmt.Sprint(i)
		c.does(name, "192.0.2.1", http.StateNew)
		c.does(name, "192.0.2.1", http.StateActive)
		c.does(name, "192.0.2.1", []http.ConnState{http.StateClosed, http.StateHijacked}[i%2])
	}
	c.lost(t)
}

// The limit holds for a real server, with plain connections.
func TestServer(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limiter := connlimit.New(connlimit.Options{Limit: 10})
	server := &http.Server{Handler: http.NotFoundHandler(), ConnState: limiter.Track, ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // it says that it was closed
	t.Cleanup(func() { _ = server.Close(); serving.Wait() })

	var held []net.Conn
	for range 50 {
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		held = append(held, conn)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	// The first 40 were closed, which a read shows.
	for _, conn := range held[:40] {
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Fatalf("an old connection is still open: %v", err)
		}
	}
}

func isTimeout(err error) bool {
	timeout, is := err.(net.Error) //nolint:errorlint // as net returns it
	return is && timeout.Timeout()
}
