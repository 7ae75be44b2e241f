package bench

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sendTimeout is how long a generator waits for an answer.
	sendTimeout = 30 * time.Second
	// betweenTries is how long a connection that was refused stays away.
	betweenTries = 50 * time.Millisecond
)

// load says what a generator sends. It goes to it as JSON.
type load struct {
	// URL is where to, Key the write key, or Vero's token.
	URL, Key string
	// Vero makes the calls that a bridge makes to Vero, instead of a bridge's.
	Vero bool
	// Connections are used at the same time, each for one request after the other.
	Connections int
	// Batch is how many events are in a request.
	Batch int
	// Rate is how many events are sent in a second. Defaults to 0, as many as are
	// taken.
	Rate float64
	// Duration and Events say when to stop, whichever comes first; 0 is no bound.
	Duration time.Duration
	Events   int
	// Run begins the ids of all events.
	Run string
	// People and Names are how many there are of each. Default to 1,000 and 1.
	People, Names int
}

// sent is what came of a load. It comes back as JSON.
type sent struct {
	Events, Failed int
	Took           time.Duration
	// Waits is of requests, from when they were due.
	Waits percentiles
}

func (s sent) rate() float64 { return float64(s.Events) / s.Took.Seconds() }

// add adds what came of a further slice, whose waits count alike.
func (s *sent) add(o sent) {
	s.Waits.add(o.Waits)
	s.Events += o.Events
	s.Failed += o.Failed
	s.Took += o.Took
}

// Generate sends what in says, a load as JSON, and writes what came of it to out.
// It is what a generator's process does.
func Generate(ctx context.Context, in io.Reader, out io.Writer) error {
	var l load
	if err := json.NewDecoder(in).Decode(&l); err != nil {
		return fmt.Errorf("read what to send: %w", err)
	}
	s, err := l.send(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(s)
}

// send sends until the load is done.
func (l load) send(ctx context.Context) (sent, error) {
	target, err := url.Parse(l.URL)
	if err != nil || target.Host == "" {
		return sent{}, fmt.Errorf("%q is no URL of a bridge; write it like https://events.example.com", l.URL)
	}
	l.People, l.Names, l.Batch = cmp.Or(l.People, 1000), cmp.Or(l.Names, 1), cmp.Or(l.Batch, 1)
	g := generator{load: l, target: target, started: time.Now()}
	if l.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.Duration)
		defer cancel()
	}
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		total   sent
		waits   []time.Duration
	)
	for range l.Connections {
		running.Go(func() {
			mine, waited := g.run(ctx)
			mu.Lock()
			defer mu.Unlock()
			total.add(mine)
			waits = append(waits, waited...)
		})
	}
	running.Wait()
	slices.Sort(waits)
	total.Waits = percentilesOf(waits)
	total.Took = time.Since(g.started)
	return total, nil
}

// generator is what the connections of a load share.
type generator struct {
	load    load
	target  *url.URL
	started time.Time
	next    atomic.Int64 // the number of the next event
}

// run sends on one connection until ctx ends or there is no more to send.
func (g *generator) run(ctx context.Context) (s sent, waits []time.Duration) {
	r := newRequest(g.load, g.target)
	var c connection
	defer c.close()
	for {
		first := int(g.next.Add(int64(r.events))) - r.events
		if g.load.Events > 0 && first >= g.load.Events {
			return s, waits
		}
		due := time.Now()
		if g.load.Rate > 0 {
			due = g.started.Add(time.Duration(float64(first) / g.load.Rate * float64(time.Second)))
			pause(ctx, time.Until(due))
		}
		if ctx.Err() != nil {
			return s, waits
		}
		r.number(first, g.load.People, g.load.Names)
		if err := c.post(ctx, g.target, r.bytes); err != nil {
			s.Failed += r.events
			pause(ctx, betweenTries)
			continue
		}
		s.Events += r.events
		waits = append(waits, time.Since(due))
	}
}

// connection is an HTTP connection, opened when it is needed. It does what
// http.Client does, without what costs as much as a server: it takes the request
// as bytes and has no goroutines of its own.
type connection struct {
	conn   net.Conn
	answer *bufio.Reader
}

// post sends a request and waits for the answer. What is not 200 is an error.
func (c *connection) post(ctx context.Context, target *url.URL, request []byte) (err error) {
	if c.conn == nil {
		// What has begun is finished, so that even a short slice has an answer.
		if err := c.open(context.WithoutCancel(ctx), target); err != nil {
			return err
		}
	}
	status, err := c.exchange(request)
	if err != nil {
		c.close()
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("the answer is %d", status)
	}
	return nil
}

func (c *connection) open(ctx context.Context, target *url.URL) (err error) {
	dialer := &net.Dialer{Timeout: sendTimeout}
	if target.Scheme == "https" {
		c.conn, err = (&tls.Dialer{NetDialer: dialer}).DialContext(ctx, "tcp", net.JoinHostPort(target.Hostname(), cmp.Or(target.Port(), "443")))
	} else {
		c.conn, err = dialer.DialContext(ctx, "tcp", net.JoinHostPort(target.Hostname(), cmp.Or(target.Port(), "80")))
	}
	if err != nil {
		c.conn = nil
		return err
	}
	c.answer = bufio.NewReader(c.conn)
	return nil
}

func (c *connection) exchange(request []byte) (status int, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(sendTimeout)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(c.answer, nil)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return 0, err
	}
	return answer.StatusCode, nil
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func basic(key string) string { return base64.StdEncoding.EncodeToString([]byte(key + ":")) }

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
