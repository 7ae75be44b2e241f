package ingest

import (
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
)

// bodyChunk is the step in which a request takes from the budget.
const bodyChunk = 4 << 10

// budget bounds the bytes of all bodies that are held at once, and of the events
// made of them. Bytes are taken as they arrive and not as they are announced, so
// that clients which announce much and send it slowly hold no more than what they
// sent; and as events are built, because a batch's envelope is copied into each.
type budget struct {
	free *semaphore.Weighted
	held prometheus.Gauge
}

func newBudget(bytes int64, held prometheus.Gauge) budget {
	return budget{free: semaphore.NewWeighted(bytes), held: held}
}

func (b budget) take(bytes int64) (ok bool) {
	if !b.free.TryAcquire(bytes) {
		return false
	}
	b.held.Add(float64(bytes))
	return true
}

func (b budget) giveBack(bytes int64) {
	b.free.Release(bytes)
	b.held.Sub(float64(bytes))
}

// share returns the share of a new request.
func (b budget) share() *share { return &share{budget: b} }

// share is what one request holds of the budget until it is answered.
type share struct {
	budget     budget
	held, used int64
}

// take takes bytes from the budget, or fails with errOverloaded when that is
// spent.
func (s *share) take(bytes int64) error {
	s.used += bytes
	if s.used <= s.held {
		return nil
	}
	chunks := (s.used - s.held + bodyChunk - 1) / bodyChunk * bodyChunk
	if !s.budget.take(chunks) {
		return errOverloaded
	}
	s.held += chunks
	return nil
}

// reader returns from, each byte of which is taken from the budget. When that
// is spent, reading fails with errOverloaded.
func (s *share) reader(from io.Reader) io.Reader { return &shareReader{share: s, from: from} }

// release gives everything back.
func (s *share) release() {
	s.budget.giveBack(s.held)
	s.held, s.used = 0, 0
}

type shareReader struct {
	share *share
	from  io.Reader
}

// Read implements io.Reader.
func (r *shareReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if spent := r.share.take(int64(n)); spent != nil {
		return n, spent
	}
	return n, err
}
