package notify

import (
	"slices"
	"strings"
	"time"
)

// Phase says what is news about an alert.
type Phase string

// The phases of an alert.
const (
	Began Phase = "began"
	Lasts Phase = "lasts"
	Over  Phase = "over"
)

// message is news about an alert.
type message struct {
	phase Phase
	alert Alert
	at    time.Time
}

const (
	// settled is how long something must have been so, or not so, to be news.
	settled = time.Minute
	// calm is how long something must have been away to be over if it came back
	// within that time before: what comes and goes is told of once.
	calm = time.Hour
	// again is how often people are told of what lasts.
	again = 24 * time.Hour
)

// entry is an alert that was seen lately.
type entry struct {
	alert     Alert
	seenFirst time.Time // and not away for as long as settled since
	seenLast  time.Time
	told      time.Time     // that it is, zero if people were not
	over      time.Duration // is how long it must be away to be over
}

// book is what people were told.
type book struct {
	entries map[string]*entry
	ended   map[string]time.Time // when people were told last that it is over
}

func newBook() *book {
	return &book{entries: make(map[string]*entry), ended: make(map[string]time.Time)}
}

// update takes what is wrong now, and returns what is news about it.
func (b *book) update(now time.Time, alerts []Alert) []message {
	var news []message
	seen := make(map[string]bool)
	for _, a := range alerts {
		seen[a.key()] = true
		e := b.entries[a.key()]
		if e == nil {
			e = &entry{seenFirst: now, over: settled}
			if now.Sub(b.ended[a.key()]) < calm {
				e.over = calm
			}
			b.entries[a.key()] = e
		} else {
			a.Since = earlier(a.Since, e.alert.Since)
		}
		e.alert, e.seenLast = a, now
		switch {
		case e.told.IsZero() && now.Sub(earlier(e.seenFirst, a.Since)) >= settled:
			news = append(news, message{Began, a, now})
			e.told = now
		case !e.told.IsZero() && now.Sub(e.told) >= again:
			news = append(news, message{Lasts, a, now})
			e.told = now
		}
	}
	for key, e := range b.entries {
		switch away := now.Sub(e.seenLast); {
		case seen[key]:
		case e.told.IsZero() && away >= settled:
			delete(b.entries, key) // it never lasted
		case !e.told.IsZero() && away >= e.over:
			news = append(news, message{Over, e.alert, now})
			b.ended[key] = now
			delete(b.entries, key)
		}
	}
	slices.SortStableFunc(news, func(x, y message) int { return strings.Compare(x.alert.key(), y.alert.key()) })
	return news
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
