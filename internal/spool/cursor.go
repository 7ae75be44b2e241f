package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ackWait must not be reached: a record is redelivered by resetting the
// consumer, in order, never by the server's timer.
const ackWait = 24 * time.Hour

// fetchSize is how many records are asked for at once. Under load a record
// holds hundreds of events.
const fetchSize = 32

// errGap says that a record may have been lost on its way to a cursor. What was
// read since the last settlement must be dropped and read again.
var errGap = errors.New("a record is missing")

// cursor reads one stream from where its owner has settled it. It is used by
// one goroutine.
type cursor struct {
	spool    *Spool
	consumer jetstream.Consumer
	stream   string
	name     string
	// last is the sequence of the last record that was handed out, or settled.
	last uint64
	// gap is the sequence before which a gap was seen, to tell a record that
	// is gone from one that got lost on its way here.
	gap uint64
}

// consumer makes the durable consumer of a stream if it is not there yet. Its
// owner's first record is the next one to be published.
func (s *Spool) consumer(ctx context.Context, stream, name string) (jetstream.Consumer, error) {
	c, err := s.js.Consumer(ctx, stream, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		c, err = s.js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
			Durable:       name,
			AckPolicy:     jetstream.AckAllPolicy,
			AckWait:       ackWait,
			DeliverPolicy: jetstream.DeliverNewPolicy,
			MaxAckPending: -1,
		})
	}
	if err != nil {
		return nil, fmt.Errorf("open cursor %s of %s: %w", name, stream, err)
	}
	return c, nil
}

// openCursor places a cursor after the last record that its owner settled.
func (s *Spool) openCursor(ctx context.Context, stream, name string) (*cursor, error) {
	consumer, err := s.consumer(ctx, stream, name)
	if err != nil {
		return nil, err
	}
	c := &cursor{spool: s, consumer: consumer, stream: stream, name: name}
	return c, c.rewind(ctx)
}

// rewind goes back to the first record that is not settled.
func (c *cursor) rewind(ctx context.Context) error {
	reset, err := c.spool.js.ResetConsumer(ctx, c.stream, c.name)
	if err != nil {
		return fmt.Errorf("rewind cursor %s of %s: %w", c.name, c.stream, err)
	}
	c.last = reset.ResetSeq - 1
	return nil
}

// next returns the records that are there, at most fetchSize. It waits for the
// first one until wait has passed; then it returns none.
func (c *cursor) next(ctx context.Context, wait time.Duration) ([]jetstream.Msg, error) {
	records, err := c.more()
	if errors.Is(err, errGap) {
		return nil, c.rewind(ctx)
	}
	if err != nil || len(records) > 0 || wait <= 0 {
		return records, err
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	batch, err := c.consumer.Fetch(1, jetstream.FetchContext(waiting))
	if err != nil {
		return nil, ignoreTimeout(err)
	}
	records, err = c.collect(batch)
	if errors.Is(err, errGap) {
		return nil, c.rewind(ctx)
	}
	return records, err
}

// more returns the records that are there now, without waiting.
func (c *cursor) more() ([]jetstream.Msg, error) {
	batch, err := c.consumer.FetchNoWait(fetchSize)
	if err != nil {
		return nil, err
	}
	return c.collect(batch)
}

// collect takes the records of a fetch and checks that they follow one another.
// A fetch that ends just as the server sends a record can lose it on the way;
// the cumulative acknowledgement of a later one would then settle it unseen.
// So a gap is errGap, and its answer is rewind. If the gap is still there
// afterwards the records are gone from the stream: trimmed, for a destination
// that comes back after a long time, or damaged on disk.
func (c *cursor) collect(batch jetstream.MessageBatch) ([]jetstream.Msg, error) {
	var records []jetstream.Msg
	for record := range batch.Messages() {
		meta, err := record.Metadata()
		if err != nil {
			return nil, err
		}
		seq := meta.Sequence.Stream
		if seq != c.last+1 {
			if c.gap != seq {
				c.gap = seq
				drop(batch)
				return nil, errGap
			}
			c.spool.log.Error("records are missing from the spool; they were trimmed while this destination was not configured, or are damaged",
				"stream", c.stream, "destination", c.name, "first", c.last+1, "last", seq-1)
		}
		c.last = seq
		records = append(records, record)
	}
	return records, ignoreTimeout(batch.Error())
}

// drop lets a fetch come to its end.
func drop(batch jetstream.MessageBatch) {
	for range batch.Messages() {
	}
}

func ignoreTimeout(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// settled moves the cursor past a record and all before it.
func (c *cursor) settled(ctx context.Context, last jetstream.Msg) error {
	if err := last.DoubleAck(ctx); err != nil {
		return fmt.Errorf("move cursor %s of %s: %w", c.name, c.stream, err)
	}
	return nil
}
