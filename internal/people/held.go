package people

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

const (
	// maxHeldEach bounds the events held of one visitor, and so what one call can
	// release.
	maxHeldEach = 100
	// maxHeld bounds the events held for one destination, and with them what a
	// public write key can fill the table with.
	maxHeld = 100_000
)

// eventKey is an event's identity.
type eventKey struct{ source, messageID string }

func keyOf(e event.Event) eventKey { return eventKey{e.Source, e.ID} }

// held are the events that one destination holds: the rows of
// verobridge.held_events, and in memory how many each visitor has.
type held struct {
	db          *database
	destination string

	mu sync.Mutex
	// counts is nil until the table was read.
	counts map[visitor]int
	total  int
	// done are the events that are done with and still have their rows, because
	// their reports are not written yet.
	done map[eventKey]bool
	// doubts are the events that were sent and got no answer.
	doubts map[eventKey]doubtUntil
}

// open reads how much is held, once.
func (h *held) open(ctx context.Context) error {
	if h.isOpen() {
		return nil
	}
	type row struct {
		Source, AnonymousID string
		Number              int
	}
	rows, err := query(ctx, h.db, pgx.RowToStructByPos[row], `
		select source, anonymous_id, count(*) from verobridge.held_events where destination = $1 group by 1, 2`, h.destination)
	if err != nil {
		return wrap("read held events", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts, h.done, h.doubts = make(map[visitor]int), make(map[eventKey]bool), make(map[eventKey]doubtUntil)
	h.total = 0
	for _, r := range rows {
		h.counts[visitor{r.Source, r.AnonymousID}] = r.Number
		h.total += r.Number
	}
	return nil
}

// forget leaves it to open to read anew how much is held.
func (h *held) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts, h.total = nil, 0
}

func (h *held) isOpen() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts != nil
}

// any says whether events of a visitor are held.
func (h *held) any(v visitor) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts[v] > 0
}

// size returns how many events are held.
func (h *held) size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.total
}

const holdEvents = `
insert into verobridge.held_events (source, message_id, anonymous_id, destination, body, received_at, expires_at)
select source, message_id, anonymous_id, $1, body, received_at, expires_at
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
  with ordinality as e (source, message_id, anonymous_id, body, received_at, expires_at, n)
order by n
on conflict do nothing`

// keep stores events, each until it is a while old, and returns for which there
// was no room.
func (h *held) keep(ctx context.Context, events []event.Event, keepFor time.Duration) (refused map[eventKey]bool, err error) {
	if err := h.open(ctx); err != nil {
		return nil, err
	}
	refused = make(map[eventKey]bool)
	more := make(map[visitor]int)
	var texts [4][]string
	var received, expires []time.Time
	h.mu.Lock()
	total := h.total
	for _, e := range events {
		v := visitor{e.Source, e.AnonymousID()}
		if total >= maxHeld || h.counts[v]+more[v] >= maxHeldEach {
			refused[keyOf(e)] = true
			continue
		}
		more[v]++
		total++
		for i, text := range []string{e.Source, e.ID, v.anonymousID, string(e.Body)} {
			texts[i] = append(texts[i], clean(text))
		}
		received, expires = append(received, e.ReceivedAt), append(expires, e.ReceivedAt.Add(keepFor))
	}
	h.mu.Unlock()
	if len(received) == 0 {
		return refused, nil
	}
	if err := h.db.exec(ctx, holdEvents, h.destination, texts[0], texts[1], texts[2], texts[3], received, expires); err != nil {
		return nil, wrap("hold events", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for v, n := range more {
		h.counts[v] += n
		h.total += n
	}
	return refused, nil
}

const heldColumns = "source, message_id, body, received_at"

// row is a held event as the table has it.
type row struct {
	Source, MessageID, Body string
	ReceivedAt              time.Time
}

func (r row) event() event.Event {
	e := event.Event{ID: r.MessageID, Source: r.Source, ReceivedAt: r.ReceivedAt.UTC(), Body: []byte(r.Body)}
	e.Type = event.Type(e.Get("type").String())
	return e
}

// of returns the events of a visitor that are still to be released, in the
// order in which they were received. What the table has is the truth: the count
// follows it.
func (h *held) of(ctx context.Context, v visitor) ([]event.Event, error) {
	if err := h.open(ctx); err != nil {
		return nil, err
	}
	rows, err := query(ctx, h.db, pgx.RowToStructByPos[row], `
		select `+heldColumns+` from verobridge.held_events
		where destination = $1 and source = $2 and anonymous_id = $3
		order by received_at, position`, h.destination, clean(v.source), clean(v.anonymousID))
	if err != nil {
		return nil, wrap("read held events", err)
	}
	events := h.pending(rows)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.total += len(events) - h.counts[v]
	h.counts[v] = len(events)
	if len(events) == 0 {
		delete(h.counts, v)
	}
	return events, nil
}

// expired returns events that were held for too long, the oldest first.
func (h *held) expired(ctx context.Context, now time.Time, limit int) ([]event.Event, error) {
	rows, err := query(ctx, h.db, pgx.RowToStructByPos[row], `
		select `+heldColumns+` from verobridge.held_events
		where destination = $1 and expires_at <= $2
		order by expires_at, position limit $3`, h.destination, now, limit)
	if err != nil {
		return nil, wrap("read held events", err)
	}
	return h.pending(rows), nil
}

// pending leaves out what is done with.
func (h *held) pending(rows []row) []event.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	var events []event.Event
	for _, r := range rows {
		if e := r.event(); !h.done[keyOf(e)] {
			events = append(events, e)
		}
	}
	return events
}

// settle remembers that an event is done with.
func (h *held) settle(e event.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done[keyOf(e)] = true
	delete(h.doubts, keyOf(e))
	v := visitor{e.Source, e.AnonymousID()}
	if h.counts[v] == 0 {
		return
	}
	h.total--
	if h.counts[v]--; h.counts[v] == 0 {
		delete(h.counts, v)
	}
}

// forgetGone forgets the events that are done with and have no row any more. Of
// those whose reports another bridge has written, nobody says so.
func (h *held) forgetGone(ctx context.Context) error {
	h.mu.Lock()
	asked := slices.Collect(maps.Keys(h.done))
	h.mu.Unlock()
	if len(asked) == 0 {
		return nil
	}
	var sources, ids []string
	for _, key := range asked {
		sources, ids = append(sources, clean(key.source)), append(ids, clean(key.messageID))
	}
	// By position: a key may hold what Postgres cannot keep.
	there, err := query(ctx, h.db, pgx.RowTo[int], `
		select k.n::int - 1 from unnest($2::text[], $3::text[]) with ordinality as k (source, message_id, n)
		join verobridge.held_events h using (source, message_id)
		where h.destination = $1`, h.destination, sources, ids)
	if err != nil {
		return wrap("read held events", err)
	}
	has := make(map[int]bool, len(there))
	for _, i := range there {
		has[i] = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, key := range asked {
		if !has[i] {
			delete(h.done, key)
		}
	}
	return nil
}

// reported forgets the events whose rows went with their reports.
func (h *held) reported(reports []delivery.Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range reports {
		if r.Destination == h.destination && r.Status != delivery.StatusHeld && r.Status != delivery.StatusWaiting {
			delete(h.done, eventKey{r.Source, r.MessageID})
		}
	}
}
