package ingest

import (
	"container/list"
	"io"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// bodyChunk is the step in which a request takes from the budget.
	bodyChunk = 4 << 10
	// bodyPatience is how long a body may take to arrive while memory is short.
	// With a good connection it takes milliseconds.
	bodyPatience = time.Second
)

// budget bounds the bytes of all bodies that are held at once, and of the events
// made of them. Bytes are taken as they arrive and not as they are announced, so
// that clients which announce much and send it slowly hold no more than what they
// sent; and as events are built, because a batch's envelope is copied into each.
//
// When half of it is taken, bodies that are still arriving after bodyPatience are
// given up, the largest first; when three quarters are, the largest of all that are
// arriving. So those who send much and leave out the end cannot keep others out,
// and on a quiet day a slow phone has all its time.
type budget struct {
	limit  int64
	gauge  prometheus.Gauge
	mu     sync.Mutex
	held   int64
	going  int64     // of what is held, that of bodies which were given up
	coming list.List // of *share: bodies that are arriving, the first to come first
}

func newBudget(bytes int64, held prometheus.Gauge) *budget {
	return &budget{limit: bytes, gauge: held}
}

func (b *budget) take(s *share, bytes int64) (ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch wanted := b.held - b.going + bytes; {
	case wanted > b.limit/4*3:
		b.giveUpOne(s, 0)
	case wanted > b.limit/2:
		b.giveUpOne(s, bodyPatience)
	}
	if b.held+bytes > b.limit {
		return false
	}
	s.held += bytes
	if s.givenUp {
		b.going += bytes // the end of its body came all the same
	}
	b.hold(bytes)
	return true
}

// hold counts bytes as taken, or, if there are less than none, as given back.
func (b *budget) hold(bytes int64) {
	b.held += bytes
	b.gauge.Add(float64(bytes))
}

// giveUpOne ends the reading of the largest of the bodies that have been arriving
// for longer than patience, unless the one that needs memory is larger. What it
// holds is free when its request has been answered.
func (b *budget) giveUpOne(needs *share, patience time.Duration) {
	largest := needs
	for e := b.coming.Front(); e != nil; e = e.Next() {
		s := e.Value.(*share)
		if time.Since(s.since) < patience {
			break
		}
		if s.held > largest.held {
			largest = s
		}
	}
	if largest == needs {
		return
	}
	b.arrived(largest)
	largest.givenUp = true
	b.going += largest.held
	largest.giveUp()
}

// arrived takes a share off the list of those whose bodies are arriving.
func (b *budget) arrived(s *share) {
	if s.place != nil {
		b.coming.Remove(s.place)
		s.place = nil
	}
}

// share returns the share of a new request. giveUp ends the reading of its body,
// nil where there is none; it is called once at most, and must not wait.
func (b *budget) share(giveUp func()) *share {
	s := &share{budget: b, since: time.Now(), giveUp: giveUp}
	if giveUp == nil {
		return s
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.place = b.coming.PushBack(s)
	return s
}

// share is what one request holds of the budget until it is answered.
type share struct {
	budget *budget
	used   int64
	since  time.Time
	giveUp func()

	// What follows is the budget's. held is at least what is used; place is nil
	// unless the body is arriving.
	held    int64
	place   *list.Element
	givenUp bool
}

// take takes bytes from the budget, or fails with errOverloaded when that is
// spent.
func (s *share) take(bytes int64) error {
	s.used += bytes
	if s.used <= s.held {
		return nil
	}
	chunks := (s.used - s.held + bodyChunk - 1) / bodyChunk * bodyChunk
	if !s.budget.take(s, chunks) {
		return errOverloaded
	}
	return nil
}

// reader returns from, each byte of which is taken from the budget. When that
// is spent, reading fails with errOverloaded.
func (s *share) reader(from io.Reader) io.Reader { return &shareReader{share: s, from: from} }

// arrived says that the body has been read whole.
func (s *share) arrived() {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	s.budget.arrived(s)
}

// release gives everything back.
func (s *share) release() {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	s.budget.arrived(s)
	s.budget.hold(-s.held)
	if s.givenUp {
		s.budget.going -= s.held
		s.givenUp = false
	}
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
