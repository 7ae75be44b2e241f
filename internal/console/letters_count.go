package console

import (
	"context"
	"sync"
	"time"
)

const (
	// lettersMost is how many dead letters are counted at most, lettersEvery how
	// often: each is read for it.
	lettersMost  = 1000
	lettersEvery = 15 * time.Second
)

// letterCount is how many dead letters there are, by destination. With more than
// are counted it is how many at least.
type letterCount struct {
	by   map[string]int
	more bool
}

func (n letterCount) at(destination string) (letters int, more bool) {
	return n.by[destination], n.more
}

// letterCounter counts dead letters now and then.
type letterCounter struct {
	letters DeadLetters

	mu    sync.Mutex
	at    time.Time
	known letterCount
}

// count returns how many there were a moment ago.
func (l *letterCounter) count(ctx context.Context, now time.Time) letterCount {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.letters == nil || now.Sub(l.at) < lettersEvery {
		return l.known
	}
	fresh, n := letterCount{by: make(map[string]int)}, 0
	err := l.letters.EachLetter(ctx, func(destination string) bool {
		if n == lettersMost {
			fresh.more = true
			return false
		}
		n++
		fresh.by[destination]++
		return true
	})
	if err == nil {
		l.known, l.at = fresh, now
	}
	return l.known
}
