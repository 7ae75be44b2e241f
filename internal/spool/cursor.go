package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// fetchRecords and fetchBytes bound what is asked for at once. Under load
	// one record holds hundreds of events.
	fetchRecords = 32
	fetchBytes   = 1 << 20
	// forgetAfter is when the server forgets a cursor that nobody reads.
	forgetAfter = 5 * time.Minute
)

// cursor reads the records of a stream one after the other. What is read is not
// acknowledged to the server: where a reader is, progress says.
type cursor struct {
	spool  *Spool
	stream string
	// next is the sequence of the record that is read next.
	next uint64
	// consumer delivers the records from next on; nil before the first one and
	// after an error.
	consumer jetstream.Consumer
	// gap is the sequence before which a gap was seen, to tell a record that
	// is gone from one that got lost on its way here.
	gap uint64
	// size is how large the last record was.
	size int
}

func (s *Spool) newCursor(stream string, next uint64) *cursor {
	return &cursor{spool: s, stream: stream, next: next}
}

// read returns the records that are there, some at a time. It waits for the
// first one until wait has passed; then it returns none.
func (c *cursor) read(ctx context.Context, wait time.Duration) ([]jetstream.Msg, error) {
	if c.consumer == nil {
		if err := c.open(ctx); err != nil {
			return nil, err
		}
	}
	batch, err := c.consumer.FetchNoWait(max(1, min(fetchRecords, fetchBytes/max(c.size, 1))))
	if err != nil {
		return nil, c.fail(err)
	}
	records, err := c.collect(batch)
	if err != nil || len(records) > 0 || wait <= 0 || c.consumer == nil { // after a gap it begins anew
		return records, err
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if batch, err = c.consumer.Fetch(1, jetstream.FetchContext(waiting)); err != nil {
		return nil, c.fail(err)
	}
	if records, err = c.collect(batch); err != nil || len(records) > 0 || ctx.Err() != nil {
		return records, err
	}
	return nil, c.checkLost(ctx)
}

// checkLost starts the cursor anew if the server has sent a record that did not
// arrive: the fetch ended just then.
func (c *cursor) checkLost(ctx context.Context) error {
	if c.consumer == nil {
		return nil
	}
	info, err := c.consumer.Info(ctx)
	if err != nil {
		return c.fail(err)
	}
	if info.Delivered.Stream >= c.next {
		c.consumer = nil
	}
	return nil
}

func (c *cursor) open(ctx context.Context) error {
	consumer, err := c.spool.js.CreateConsumer(ctx, c.stream, jetstream.ConsumerConfig{
		AckPolicy:         jetstream.AckNonePolicy,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       c.next,
		InactiveThreshold: forgetAfter,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", c.stream, err)
	}
	c.consumer = consumer
	return nil
}

// collect takes the records of a fetch and checks that they follow one another:
// a fetch that ends just as the server sends a record can lose it on the way.
// After a gap the cursor starts anew. If the gap is still there then, the
// records are gone from the stream: trimmed, for a destination that comes back
// after a long time, or damaged on disk.
func (c *cursor) collect(batch jetstream.MessageBatch) ([]jetstream.Msg, error) {
	var records []jetstream.Msg
	lost := false
	for record := range batch.Messages() {
		meta, err := record.Metadata()
		if lost = lost || err != nil; lost {
			continue // the fetch must come to its end
		}
		seq := meta.Sequence.Stream
		if seq != c.next && seq != c.gap {
			lost, c.gap = true, seq
			continue
		}
		if seq != c.next {
			c.spool.log.Error("records are missing from the spool; they were trimmed while their reader was away, or are damaged",
				"stream", c.stream, "first", c.next, "last", seq-1)
		}
		c.next, c.size = seq+1, len(record.Data())
		records = append(records, record)
	}
	if lost {
		c.consumer = nil
	}
	if err := c.fail(batch.Error()); len(records) == 0 {
		return nil, err
	}
	// A fetch may break off after some records. They are read, so they must be
	// handed over; the next read shows whether something is wrong.
	return records, nil
}

// fail forgets a consumer that does not work; the next read makes another. A
// wait that came to its end is no failure.
func (c *cursor) fail(err error) error {
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil
	}
	c.consumer = nil
	if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil // forgotten while nobody read
	}
	return fmt.Errorf("read %s: %w", c.stream, err)
}
