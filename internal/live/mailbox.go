package live

import (
	"context"
	"sync"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

const (
	// boxEvents and boxReports are what a mailbox holds, boxShown of how many events
	// it is remembered that they were shown.
	boxEvents  = 200
	boxReports = 1000
	boxShown   = 1000
	// quiet is how long a watcher hears nothing at most.
	quiet = 15 * time.Second
)

// Batch is what is new to a watcher.
type Batch struct {
	// Events are what came in, oldest first.
	Events []event.Event
	// Reports say what became of events that the watcher has been shown.
	Reports []delivery.Report
	// Missed is how many were left out because there were too many, whether events
	// or records of several.
	Missed int
}

func (b Batch) isEmpty() bool { return len(b.Events)+len(b.Reports)+b.Missed == 0 }

// mailbox keeps what is new until its watcher takes it.
type mailbox struct {
	filter Filter
	hidden func(event.Event) bool
	news   chan struct{} // holds one while there is something to take

	mu     sync.Mutex
	batch  Batch
	failed error
	// shown are the events that the watcher knows; recent lists them, the oldest at
	// next.
	shown  map[eventKey]bool
	recent []eventKey
	next   int
}

// eventKey names an event: sources may use the same messageIds.
type eventKey struct{ source, messageID string }

func keyOf(e event.Event) eventKey { return eventKey{e.Source, e.ID} }

func newMailbox(f Filter, hidden func(event.Event) bool) *mailbox {
	return &mailbox{filter: f, hidden: hidden, news: make(chan struct{}, 1), shown: make(map[eventKey]bool)}
}

func (b *mailbox) wants(e event.Event) bool { return b.filter.Matches(e) && !b.hidden(e) }

// introduce notes events as shown, and returns those that were not.
func (b *mailbox) introduce(events []event.Event) []event.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	var fresh []event.Event
	for _, e := range events {
		if key := keyOf(e); !b.shown[key] {
			b.note(key)
			fresh = append(fresh, e)
		}
	}
	return fresh
}

func (b *mailbox) note(key eventKey) {
	if len(b.recent) < boxShown {
		b.recent = append(b.recent, key)
	} else {
		delete(b.shown, b.recent[b.next])
		b.recent[b.next] = key
		b.next = (b.next + 1) % boxShown
	}
	b.shown[key] = true
}

// put adds what the watcher wants of what is new. Of too much the oldest is left
// out.
func (b *mailbox) put(all Batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batch.Missed += all.Missed
	for _, e := range all.Events {
		if key := keyOf(e); b.wants(e) && !b.shown[key] {
			b.note(key)
			b.batch.Events = append(b.batch.Events, e)
		}
	}
	for _, r := range all.Reports {
		if b.shown[eventKey{r.Source, r.MessageID}] || r.MessageID == b.filter.MessageID {
			b.batch.Reports = append(b.batch.Reports, r)
		}
	}
	if more := len(b.batch.Events) - boxEvents; more > 0 {
		b.batch.Events, b.batch.Missed = b.batch.Events[more:], b.batch.Missed+more
	}
	if more := len(b.batch.Reports) - boxReports; more > 0 {
		b.batch.Reports = b.batch.Reports[more:]
	}
	if !b.batch.isEmpty() {
		b.ring()
	}
}

// fail ends the watch.
func (b *mailbox) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = err
	b.ring()
}

func (b *mailbox) ring() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// take waits for something new and takes it away. After some time it returns an
// empty batch.
func (b *mailbox) take(ctx context.Context) (Batch, error) {
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return Batch{}, ctx.Err()
	case <-timer.C:
	case <-b.news:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	batch := b.batch
	b.batch = Batch{}
	return batch, b.failed
}
