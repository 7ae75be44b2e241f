package warehouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// ImportOptions says what an import is for.
type ImportOptions struct {
	// Source is the name of the source whose schema it fills. Required.
	Source string
	// Again reads what earlier imports have finished anew. Without it they go on
	// where they were.
	Again bool
	// Erased is asked before each batch who was erased: what is about them is not
	// imported. Defaults to nobody.
	Erased func(context.Context) (suppressed func(event.Event) bool, err error)
	// Patience is how long to wait for a database that takes nothing, or a table
	// that is locked. Defaults to 5 min.
	Patience time.Duration
	// Progress is told how far a file or table is, after each batch. Defaults to
	// nobody.
	Progress func(ImportProgress)
}

// ImportProgress is how far a file or table is.
type ImportProgress struct {
	// Origin is the file or table.
	Origin string
	// Read counts its calls or rows so far, those of earlier runs included.
	Read int64
	// Total is how many there are, 0 if that is not known.
	Total int64
	// Waiting is why nothing moves, nil if it does.
	Waiting error
}

// ImportCounts says what became of what was read, in all runs together.
type ImportCounts struct {
	// Read counts calls, or rows.
	Read int64 `json:"read"`
	// Tables are the rows of each table, as schema.table.
	Tables map[string]TableCount `json:"tables,omitempty"`
	// Rejected counts, by reason, what is in verobridge.rejected_events instead.
	Rejected map[string]int64 `json:"rejected,omitempty"`
	// Skipped counts, by reason, what was not wanted.
	Skipped map[string]int64 `json:"skipped,omitempty"`
	// Unread counts rows that a table got while it was read, behind where the
	// import went on. They are read when it is imported again.
	Unread int64 `json:"unread,omitempty"`
	// Undated counts calls whose receivedAt is no time. They count as received when
	// they were sent, when they happened, or now, the first that is known.
	Undated int64 `json:"undated,omitempty"`
}

// TableCount compares the rows that a table should have with those it has.
type TableCount struct {
	// Read counts the rows that were read for the table.
	Read int64 `json:"read"`
	// Present counts those of them that were in the table after the commit.
	Present int64 `json:"present"`
	// Repeated counts those of them that were in the table before: their ids were
	// read before, or came in otherwise. In users and accounts it counts further
	// calls about the same person or group.
	Repeated int64 `json:"repeated,omitempty"`
}

// add returns the sum of both.
func (c TableCount) add(more TableCount) TableCount {
	return TableCount{Read: c.Read + more.Read, Present: c.Present + more.Present, Repeated: c.Repeated + more.Repeated}
}

// Missing returns how many rows should be in the warehouse and are not.
func (c ImportCounts) Missing() int64 {
	var missing int64
	for _, t := range c.Tables {
		missing += t.Read - t.Present
	}
	return missing
}

// Add adds the counts of another file or table.
func (c *ImportCounts) Add(more ImportCounts) {
	c.Read += more.Read
	c.Unread += more.Unread
	c.Undated += more.Undated
	for name, n := range more.Tables {
		c.count(name, n)
	}
	for reason, n := range more.Rejected {
		c.reject(reason, n)
	}
	for reason, n := range more.Skipped {
		c.skip(reason, n)
	}
}

func (c *ImportCounts) count(table string, n TableCount) {
	if c.Tables == nil {
		c.Tables = make(map[string]TableCount)
	}
	c.Tables[table] = c.Tables[table].add(n)
}

func (c *ImportCounts) reject(reason string, n int64) {
	if c.Rejected == nil {
		c.Rejected = make(map[string]int64)
	}
	c.Rejected[reason] += n
}

func (c *ImportCounts) skip(reason string, n int64) {
	if c.Skipped == nil {
		c.Skipped = make(map[string]int64)
	}
	c.Skipped[reason] += n
}

// Import brings older data into the schema of one source. It goes straight into
// the warehouse, by the same rules as what arrives now: nothing of it reaches
// another destination. It may be stopped at any time and begun again: rows have
// their ids, so nothing doubles.
//
// Rows keep the received_at they have, and get the uuid_ts of their load here, so
// that incremental models see them.
type Import struct {
	ImportOptions
	loader *Loader
	schema string
	mapper *mapper
}

// Import prepares an import. The loader may load events meanwhile.
func (l *Loader) Import(o ImportOptions) *Import {
	const patience = 5 * time.Minute
	if o.Patience == 0 {
		o.Patience = patience
	}
	if o.Erased == nil {
		o.Erased = func(context.Context) (func(event.Event) bool, error) {
			return func(event.Event) bool { return false }, nil
		}
	}
	if o.Progress == nil {
		o.Progress = func(ImportProgress) {}
	}
	return &Import{ImportOptions: o, loader: l, schema: schemaName(o.Source), mapper: newMapper(l.shape)}
}

// candidate is something that was read and is to be loaded.
type candidate struct {
	item *item
	// place says where it was read.
	place string
	// raw is what was read, kept where it cannot be loaded.
	raw func() []byte
	// refused is why it is kept as rejected from the first, "" where it is not.
	refused string
	// skipped is why it is not wanted, "" where it is. Then there is no item.
	skipped delivery.Reason
	// undated says that its receivedAt is no time.
	undated bool
}

// bring loads candidates and counts what became of them. It returns when each
// is in its tables or set aside.
func (im *Import) bring(ctx context.Context, origin string, batch []candidate, counts *ImportCounts) error {
	items, places := make([]*item, len(batch)), make([]string, len(batch))
	for i, c := range batch {
		items[i], places[i] = c.item, c.place
	}
	if err := im.settle(ctx, origin, items, places, counts.Read); err != nil {
		return err
	}
	var loaded, refused []*item
	for _, c := range batch {
		if o := c.item.outcome; o.Status() == delivery.StatusDelivered {
			loaded = append(loaded, c.item)
		} else {
			why := &event.RejectError{Reason: string(o.Reason()), Detail: o.Detail()}
			refused = append(refused, im.rejected(c.raw(), c.place, why))
			counts.reject(why.Reason, 1)
		}
	}
	if len(refused) > 0 {
		if err := im.settle(ctx, origin, refused, nil, counts.Read); err != nil {
			return err
		}
	}
	return im.verify(ctx, slices.Concat(loaded, refused), counts)
}

// rejected makes an item of what cannot be imported, which is kept with its
// place and reason as calls refused at the door are.
func (im *Import) rejected(raw []byte, place string, why *event.RejectError) *item {
	stamp := event.Stamp{Source: im.Source, ReceivedAt: im.loader.now()}
	e := event.RejectRestored(raw, stamp, &event.RejectError{Reason: why.Reason, Detail: place + ": " + why.Detail})
	return &item{event: e, record: rejectedRecord(e), outcome: new(delivery.Outcome)}
}

// settle offers items to the database until each has its final outcome. places say
// where they were read, as far as that is to be told.
func (im *Import) settle(ctx context.Context, origin string, items []*item, places []string, read int64) error {
	var since time.Time // when it got on last
	for pending := items; len(pending) > 0; {
		im.loader.loadItems(ctx, pending)
		waiting := slices.DeleteFunc(slices.Clone(pending), func(it *item) bool { return it.outcome.Final() })
		if len(waiting) == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if since.IsZero() || len(waiting) < len(pending) {
			since = im.loader.now()
		}
		o := *waiting[0].outcome
		cause := errors.New(o.Detail())
		if i := slices.Index(items, waiting[0]); i < len(places) {
			cause = fmt.Errorf("%s: %w", places[i], cause)
		}
		if im.loader.now().Sub(since) >= im.Patience {
			return fmt.Errorf("import %s: nothing got in for %s; mend what is wrong and run it again, it goes on from here: %w", origin, im.Patience, cause)
		}
		im.Progress(ImportProgress{Origin: origin, Read: read, Waiting: cause})
		select {
		case <-time.After(max(o.After(), min(time.Second, im.Patience))):
		case <-ctx.Done():
			return ctx.Err()
		}
		for _, it := range waiting {
			*it.outcome = delivery.Outcome{}
		}
		pending = waiting
	}
	return nil
}

// loadItems offers items to the database once, and gives each an outcome.
func (l *Loader) loadItems(ctx context.Context, items []*item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.prepare(ctx); err != nil {
		settle(items, delivery.Unavailable(judge(err).reason, err, 0))
		return
	}
	for pending := items; len(pending) > 0; pending = undecided(pending) {
		part := pending[:min(len(pending), l.pace.width)]
		l.load(ctx, part, nil, firstTry)
		if i := slices.IndexFunc(part, func(it *item) bool { return it.outcome.Unavailable() }); i >= 0 {
			settle(undecided(pending), *part[i].outcome)
		}
	}
}
