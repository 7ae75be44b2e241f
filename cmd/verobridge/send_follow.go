package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/story"
)

const (
	// followFor is how long a call is followed at most, followEvery how often it is
	// looked.
	followFor   = 15 * time.Second
	followEvery = 200 * time.Millisecond
)

// follow waits until a call has an end at each destination, or long enough, and
// tells its story.
func (c publicClient) follow(ctx context.Context, out io.Writer, messageID string) error {
	store, err := story.Open(story.Options{URL: c.warehouse})
	if err != nil {
		return err
	}
	defer store.Close()
	for began := time.Now(); time.Since(began) < followFor; {
		// Where it cannot be asked the tables may not be made yet, or Postgres comes
		// back.
		if reports, err := store.Reports(ctx, []string{messageID}); err == nil && ended(reports) >= c.awaited {
			break
		}
		select {
		case <-time.After(followEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	events, err := store.Event(ctx, messageID)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return fmt.Errorf("after %s nothing is known of it in Postgres; verobridge check says whether that is down, and verobridge why %s tells later", followFor, messageID)
	}
	return whyPrinter{out}.print(told{ID: messageID, Events: events})
}

// ended counts the destinations at which an event waits for nothing but its person.
func ended(reports []delivery.Report) (n int) {
	for _, r := range reports {
		if r.Status != delivery.StatusWaiting {
			n++
		}
	}
	return n
}
