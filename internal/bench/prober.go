package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// betweenProbes is the time between two probes: often enough for a percentile,
// seldom enough to be no load.
const betweenProbes = 20 * time.Millisecond

// prober sends an event now and then, beside whatever load there is, and watches
// for what comes of it.
type prober struct {
	mu       sync.Mutex
	sent     map[string]time.Time // when its request began, by id
	answered map[string]time.Time
	seen     map[string]time.Time // when its row could be selected
}

// probe sends probes and watches their rows for as long as d, and a little longer
// until the last row is there.
func (w *world) probe(ctx context.Context, run string, d time.Duration) (*prober, error) {
	p := &prober{sent: make(map[string]time.Time), answered: make(map[string]time.Time), seen: make(map[string]time.Time)}
	conn, err := pgx.Connect(ctx, w.database.Superuser)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	sending, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- w.sendProbes(sending, p, run) }()
	done := false
	for gotOn := time.Now(); ; pause(ctx, 2*time.Millisecond) {
		before := len(p.seen)
		if err := p.look(ctx, conn); err != nil {
			return nil, err
		}
		if len(p.seen) > before || len(p.waiting()) == 0 {
			gotOn = time.Now()
		}
		switch {
		case done && len(p.waiting()) == 0:
			return p, nil
		case time.Since(gotOn) > patience:
			return nil, fmt.Errorf("no row has come for %s; what the bridge says is in %s", patience, w.bridge.Log.Name())
		case done:
			continue
		}
		select {
		case err := <-failed:
			if err != nil {
				return nil, err
			}
			done = true
		default:
		}
	}
}

// sendProbes sends one event after the other until ctx ends.
func (w *world) sendProbes(ctx context.Context, p *prober, run string) error {
	target, err := url.Parse(w.bridge.URL)
	if err != nil {
		return err
	}
	r := newRequest(load{Key: appKey, Run: probePrefix + run + "-"}, target)
	var c connection
	defer c.close()
	for n := 0; ctx.Err() == nil; n++ {
		r.number(n, 1000, 1)
		id := fmt.Sprintf("%s%s-%0*d", probePrefix, run, idDigits, n)
		began := time.Now()
		if err := c.post(ctx, target, r.bytes); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("send a probe: %w", err)
		}
		p.mu.Lock()
		p.sent[id], p.answered[id] = began, time.Now()
		p.mu.Unlock()
		pause(ctx, betweenProbes)
	}
	return nil
}

// waiting returns the ids of the probes that have no row yet.
func (p *prober) waiting() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Keys(p.answered)), func(id string) bool {
		_, there := p.seen[id]
		return there
	})
}

// look notes which rows are there now.
func (p *prober) look(ctx context.Context, conn *pgx.Conn) error {
	waiting := p.waiting()
	if len(waiting) == 0 {
		return nil
	}
	rows, err := conn.Query(ctx, "select id from app.tracks where id = any($1)", waiting)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	now := time.Now()
	for _, id := range found {
		p.seen[id] = now
	}
	return nil
}

// freshness is how long rows took, from the answer 200 until they could be
// selected.
func (p *prober) freshness() percentiles { return between(p.answered, p.seen) }

// between looks at the times from one moment to another, of all that have both.
func between(from, to map[string]time.Time) percentiles {
	var waits []time.Duration
	for id, end := range to {
		if begin, ok := from[id]; ok {
			waits = append(waits, max(0, end.Sub(begin)))
		}
	}
	slices.Sort(waits)
	return percentilesOf(waits)
}

// arrivals notes when Vero is called for a probe.
type arrivals struct {
	next http.Handler
	mu   sync.Mutex
	at   map[string]time.Time
}

// probePrefix begins the ids of probes, and of nothing else.
const probePrefix = "probe-"

var probeID = regexp.MustCompile(probePrefix + `[a-z0-9]+-\d+`)

// ServeHTTP implements http.Handler.
func (a *arrivals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller is gone
	}
	if bytes.Contains(body, []byte(probePrefix)) {
		a.mu.Lock()
		a.at[string(probeID.Find(body))] = now
		a.mu.Unlock()
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	a.next.ServeHTTP(w, r)
}

// awaitCalls waits until Vero has been called for as many probes as were sent.
func (w *world) awaitCalls(ctx context.Context, p *prober) error {
	for since := time.Now(); w.arrivals.len() < len(p.sent); pause(ctx, 10*time.Millisecond) {
		if time.Since(since) > patience || ctx.Err() != nil {
			return fmt.Errorf("calls came for %d of %d events; what the bridge says is in %s", w.arrivals.len(), len(p.sent), w.bridge.Log.Name())
		}
	}
	return nil
}

func (a *arrivals) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.at)
}

// took is how long calls took, from the beginning of the app's request to Vero.
func (a *arrivals) took(p *prober) percentiles {
	a.mu.Lock()
	defer a.mu.Unlock()
	return between(p.sent, a.at)
}
