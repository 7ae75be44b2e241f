package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func tailCommand(env environment) *cobra.Command {
	var admin adminFlags
	var filter tailFilter
	var p tailPrinter
	var since string
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show events as they come in, and what becomes of them",
		Long: `Show events as they come in, one a line: when, from which source, what, and about
whom. With --fate a line follows for each destination as soon as it is known there
what became of the event. Ctrl-C ends it.

It asks the running bridge, and neither slows it nor misses its restart: then it says
so, connects again, and goes on with what has come in meanwhile. Where more comes in
than can be shown it says how much it left out.`,
		Example: `  verobridge tail --fate
  verobridge tail --source web --event "Order Completed" --last 20
  verobridge tail --user ann@example.com --since 1h
  verobridge tail --json | jq -r 'select(.event) | .event.body.event'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if filter.since, err = moment(url.Values{"--since": {since}}, "--since", time.Now(), time.Time{}); err != nil {
				return err
			}
			client, err := admin.client(env)
			if err != nil {
				return err
			}
			p.out = cmd.OutOrStdout()
			t := tail{client: client, filter: filter, show: p.show, say: func(text string) {
				fmt.Fprintln(cmd.ErrOrStderr(), paint(cmd.ErrOrStderr(), faint, text))
			}}
			return t.run(cmd.Context())
		},
	}
	admin.add(cmd)
	cmd.Flags().StringVar(&filter.source, "source", "", "only events of a source, by `name`")
	cmd.Flags().StringVar(&filter.event, "event", "", "only events with this in their `name`")
	cmd.Flags().StringVar(&filter.kind, "type", "", "only calls of a `type`, such as track or identify")
	cmd.Flags().StringVar(&filter.person, "user", "", "only events about a `person`: a userId, an anonymousId or an e-mail address")
	cmd.Flags().IntVar(&filter.last, "last", 10, "begin with so many that came before; of fates that were known by then why tells")
	cmd.Flags().StringVar(&since, "since", "", "begin with those since a `time`, or not older than an age such as 10m, up to 10,000")
	cmd.Flags().BoolVar(&p.fate, "fate", false, "show what becomes of each event, too")
	cmd.Flags().BoolVar(&p.json, "json", false, "write one JSON value a line: event, report, or how many were missed")
	cmd.MarkFlagsMutuallyExclusive("last", "since")
	return cmd
}

// tailFilter picks events. Empty fields pick all.
type tailFilter struct {
	source, event, kind, person string
	// last is how many of before to begin with. Where since is set it is those that
	// came since.
	last  int
	since time.Time
}

// query is what the filter asks of the bridge.
func (f tailFilter) query() url.Values {
	q := url.Values{"last": {strconv.Itoa(f.last)}}
	for name, value := range map[string]string{"source": f.source, "event": f.event, "person": f.person} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if !f.since.IsZero() {
		q.Set("last", strconv.Itoa(maxLatest))
	}
	return q
}

func (f tailFilter) matches(l eventLine) bool {
	return (f.kind == "" || f.kind == string(l.Type)) && !l.ReceivedAt.Before(f.since)
}

const (
	// tailSilence is after which time without a word from the bridge, which says
	// something at least every 15 s, the connection counts as dead.
	tailSilence = 45 * time.Second
	// tailAgain is the time between two attempts to connect again.
	tailAgain = time.Second
	// tailOverlap is how many events are asked for after a break, to find those
	// that were missed in it; of tailKnown it is remembered that they were shown.
	tailOverlap = 1000
	tailKnown   = 4 * tailOverlap
)

// tail follows a bridge through its restarts.
type tail struct {
	client *adminClient
	filter tailFilter
	show   func(tailLine) error
	say    func(text string)

	connected bool // at least once
	// since is when the first event was received that was shown, or when the first
	// connection was made: what was before is not shown after a break either.
	since time.Time
	shown recent
}

// run shows what comes until ctx ends. What keeps it from beginning is an error;
// what interrupts it later passes.
func (t *tail) run(ctx context.Context) error {
	var said string
	for {
		err := t.watch(ctx, func() {
			if said != "" {
				t.say("the bridge is back")
			}
			said = ""
		})
		var ended outputError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &ended):
			return ended.error
		case !t.connected:
			return err
		case said != err.Error():
			said = err.Error()
			t.say(said + "; connecting again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tailAgain):
		}
	}
}

// outputError is an error of whoever reads what is shown, not of the bridge.
type outputError struct{ error }

// watch shows what one connection brings, and returns why it ended.
func (t *tail) watch(ctx context.Context, connected func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	query := t.filter.query()
	if t.connected {
		query.Set("last", strconv.Itoa(tailOverlap))
	}
	answer, err := t.client.do(ctx, http.MethodGet, "/api/tail", query)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	connected()
	again := t.connected
	if !again {
		t.connected, t.since = true, time.Now()
	}
	dead := time.AfterFunc(tailSilence, cancel)
	defer dead.Stop()
	if err := readLines(pulse{answer.Body, dead}, func(text json.RawMessage) error { return t.line(text, again) }); err != nil {
		return err
	}
	return errors.New("the bridge ended the connection")
}

// line shows a line of the feed that is wanted. After a break the lines of before
// come once more.
func (t *tail) line(text json.RawMessage, again bool) error {
	var line tailLine
	if err := json.Unmarshal(text, &line); err != nil {
		return fmt.Errorf("read the feed: %w", err)
	}
	switch e, r := line.Event, line.Report; {
	case e != nil && (!t.filter.matches(*e) || t.shown.has(e.Source, e.MessageID) || again && e.ReceivedAt.Before(t.since)):
		return nil
	case e != nil:
		t.shown.add(e.Source, e.MessageID)
		if e.ReceivedAt.Before(t.since) {
			t.since = e.ReceivedAt
		}
	case r != nil && !t.shown.has(r.Source, r.MessageID):
		return nil
	}
	if err := t.show(line); err != nil {
		return outputError{err}
	}
	return nil
}

// recent remembers which events were shown last.
type recent struct {
	known map[[2]string]bool
	order [][2]string
}

func (r *recent) has(source, messageID string) bool { return r.known[[2]string{source, messageID}] }

func (r *recent) add(source, messageID string) {
	if r.known == nil {
		r.known = make(map[[2]string]bool)
	}
	key := [2]string{source, messageID}
	r.known[key], r.order = true, append(r.order, key)
	if len(r.order) > tailKnown {
		delete(r.known, r.order[0])
		r.order = r.order[1:]
	}
}

// pulse is a reader that puts off a timer with everything it reads.
type pulse struct {
	io.Reader
	dead *time.Timer
}

// Read implements io.Reader.
func (p pulse) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.dead.Reset(tailSilence)
	return n, err
}
