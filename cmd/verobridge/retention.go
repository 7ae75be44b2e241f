package main

import (
	"context"
	"sync"
	"time"

	"github.com/verobridge/verobridge/internal/retention"
	"github.com/verobridge/verobridge/internal/spool"
)

const (
	// keepForever is the retention of who wants nothing deleted.
	keepForever = "forever"
	// defaultRetention is long enough to ask about last quarter's emails.
	defaultRetention = "90d"
	// leastRetention is how long a replay needs to know what was delivered: it
	// reaches back a week.
	leastRetention = 8 * 24 * time.Hour
)

// retention returns how long rows about deliveries are kept, and false for ever.
func (w warehouseSettings) retention() (time.Duration, bool) {
	if w.DeliveriesRetention == keepForever {
		return 0, false
	}
	age, err := parseAge(w.DeliveriesRetention)
	return age, err == nil
}

func (w warehouseSettings) validateRetention(problem problemFunc) {
	if age, limited := w.retention(); w.DeliveriesRetention != keepForever && (!limited || age < leastRetention) {
		problem("warehouse.deliveries_retention", "must be at least 8d, such as 90d, or forever, not %q", w.DeliveriesRetention)
	}
}

// oldestLetter returns when the oldest event was received that people can still
// send again, the zero time if there is none.
func (b *bridge) oldestLetter(ctx context.Context) (oldest time.Time, err error) {
	err = b.spool.Letters(ctx, func(l spool.Letter) error {
		e, whole := l.Event()
		if whole && (oldest.IsZero() || e.ReceivedAt.Before(oldest)) {
			oldest = e.ReceivedAt
		}
		return nil
	})
	return oldest, err
}

// startRetention deletes old rows of verobridge's own tables from now on.
func (b *bridge) startRetention(context.Context) error {
	age, limited := b.settings.Warehouse.retention()
	if !limited {
		return nil
	}
	r, err := retention.Open(retention.Options{
		URL: b.settings.Warehouse.URL, Keep: age, Prepare: b.loader.Prepare, OldestLetter: b.oldestLetter,
		Logger: b.log, Registerer: b.metrics,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { r.Run(ctx) })
	b.onStop(func(ctx context.Context) error {
		cancel()
		return waitFor(ctx, &work, "the deletion of old rows did not stop in time")
	})
	return nil
}
