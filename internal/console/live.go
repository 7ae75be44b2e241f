package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/live"
)

const (
	// liveRows is how many events the page shows.
	liveRows = 50
	// liveBurst is how many more it is sent at once, every liveEvery at most: what
	// somebody can follow.
	liveBurst = 12
	liveEvery = 400 * time.Millisecond
	// liveShown is of how many of them it is told what becomes of them.
	liveShown = 4 * liveRows
	// fateTimeout bounds how long the page waits for what became of the events that
	// it shows at first. The warehouse, which knows, may be away.
	fateTimeout = time.Second
)

// livePage is what comes in this moment.
type livePage struct {
	Filter  live.Filter
	Sources []string
	// Stream is where the page is told more.
	Stream string
	Rows   []liveRow
	Most   int
}

// liveRow is an event and what has become of it so far.
type liveRow struct {
	event.Event
	// Key names the row on the page.
	Key string
	// Person is who it is about, by the first id that there is.
	Person string
	Fates  []liveFate
}

// liveFate is what has become of an event at one destination.
type liveFate struct {
	Key         string
	Destination string
	// Status is empty while nothing is known.
	Status delivery.Status
	Detail string
}

func liveFilter(q url.Values) live.Filter {
	return live.Filter{Source: q.Get("source"), Event: q.Get("event"), Person: q.Get("person")}
}

func (c *Console) live(r *http.Request) (any, error) {
	p := livePage{Filter: liveFilter(r.URL.Query()), Sources: c.o.Sources, Most: liveRows}
	p.Stream = "/live/stream?" + url.Values{"source": {p.Filter.Source}, "event": {p.Filter.Event}, "person": {p.Filter.Person}}.Encode()
	events, err := c.o.Feed.Latest(r.Context(), p.Filter, liveRows)
	if err != nil {
		return nil, err
	}
	p.Rows = c.liveRows(events, c.knownFates(r.Context(), events))
	slices.Reverse(p.Rows)
	return p, nil
}

// streamLive sends events as they come, and what becomes of them: as much as
// somebody can follow, so that it costs little however much comes in.
func (c *Console) streamLive(w http.ResponseWriter, r *http.Request) {
	filter := liveFilter(r.URL.Query())
	c.stream(w, r, func(ctx context.Context, send func([]byte) error) error {
		shown, err := lru.New[string, struct{}](liveShown) // by pageKey
		if err != nil {
			return err
		}
		first, missed := true, 0
		return c.o.Feed.Watch(ctx, filter, liveRows, func(batch live.Batch) error {
			events, reports := batch.Events, batch.Reports
			if first {
				reports, first = c.knownFates(ctx, events), false
			} else if more := len(events) - liveBurst; more > 0 {
				events, missed = events[more:], missed+more
			}
			for _, e := range events {
				shown.Add(pageKey(e.Source, e.ID), struct{}{})
			}
			reports = slices.DeleteFunc(reports, func(r delivery.Report) bool { return !shown.Contains(pageKey(r.Source, r.MessageID)) })
			missed += batch.Missed
			html, err := c.livePieces(c.liveRows(events, reports), reports, missed)
			if err != nil {
				return err
			}
			if err := send(html); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(liveEvery):
				return nil
			}
		})
	})
}

// livePieces makes what the page puts in its places: rows, fates, and how many
// were left out.
func (c *Console) livePieces(rows []liveRow, reports []delivery.Report, missed int) ([]byte, error) {
	var out bytes.Buffer
	add := func(part string, data any) error {
		html, err := c.fragment("live", part, data)
		out.Write(html)
		return err
	}
	for _, row := range rows {
		if err := add("row", row); err != nil {
			return nil, err
		}
	}
	for _, r := range reports {
		if err := add("fate", fateOf(r)); err != nil {
			return nil, err
		}
	}
	if missed > 0 {
		if err := add("missed", missed); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// knownFates asks what has become of events. Nothing is known while the warehouse
// is away.
func (c *Console) knownFates(ctx context.Context, events []event.Event) []delivery.Report {
	if len(events) == 0 || c.o.Story == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, fateTimeout)
	defer cancel()
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	reports, err := c.o.Story.Reports(ctx, ids)
	if err != nil {
		return nil
	}
	return reports
}

// liveRows makes rows of events, each with a place for what becomes of it
// everywhere where it goes.
func (c *Console) liveRows(events []event.Event, reports []delivery.Report) []liveRow {
	known := make(map[string]liveFate, len(reports))
	for _, r := range reports {
		f := fateOf(r)
		known[f.Key] = f
	}
	rows := make([]liveRow, len(events))
	for i, e := range events {
		row := liveRow{Event: e, Key: pageKey(e.Source, e.ID)}
		for _, id := range []string{e.UserID(), e.AnonymousID(), e.Email()} {
			if row.Person == "" {
				row.Person = id
			}
		}
		for _, d := range c.destinationsOf(e) {
			fate := liveFate{Key: pageKey(e.Source, e.ID, d), Destination: d}
			if f, ok := known[fate.Key]; ok {
				fate = f
			}
			row.Fates = append(row.Fates, fate)
		}
		rows[i] = row
	}
	return rows
}

// destinationsOf returns where an event goes.
func (c *Console) destinationsOf(e event.Event) []string {
	if e.Type == event.Rejected {
		return nil
	}
	return append([]string{warehouseName}, c.o.Routes[e.Source]...)
}

func fateOf(r delivery.Report) liveFate {
	return liveFate{pageKey(r.Source, r.MessageID, r.Destination), r.Destination, r.Status, r.Detail}
}

// pageKey makes an id for a page of what nobody knows the form of.
func pageKey(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		hash.Write([]byte(part))
		hash.Write([]byte{0})
	}
	return "k" + hex.EncodeToString(hash.Sum(nil)[:10])
}

// Reason returns why an event was refused at the door.
func (r liveRow) Reason() string { return r.Get("detail").String() }
