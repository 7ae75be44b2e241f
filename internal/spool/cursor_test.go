package spool

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// brokenOff is a fetch that ends with an error after its records.
type brokenOff struct{ jetstream.MessageBatch }

func (brokenOff) Error() error { return errors.New("connection lost") }

// What was read before a fetch broke off is handed over, and nothing is passed
// over afterwards.
func TestAFetchThatBreaksOffLosesNothing(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	for n := range 4 {
		appendAll(t, s, call("ann", n))
	}
	c := s.newCursor(eventsStream, 1)
	if err := c.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	batch, err := c.consumer.FetchNoWait(2)
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.collect(brokenOff{batch})
	if err != nil || len(first) != 2 {
		t.Fatalf("%d records, %v; want the two that came", len(first), err)
	}
	rest, err := c.read(t.Context(), 0)
	if err != nil || len(rest) != 2 {
		t.Fatalf("%d records, %v; want the other two", len(rest), err)
	}
	if meta, err := rest[0].Metadata(); err != nil || meta.Sequence.Stream != 3 {
		t.Errorf("went on at %v, %v; want record 3", meta, err)
	}
}
