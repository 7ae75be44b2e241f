package console

import (
	"fmt"
	"slices"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/story"
)

// concern is something that needs people, with what to do about it.
type concern struct {
	// Bad says that events are refused or not delivered now; else it can wait.
	Bad   bool
	Title string
	// Detail says what it is, and what to do.
	Detail string
	// Path leads to where more is to be seen, empty for nowhere; Link names it.
	Path, Link string
}

const (
	// fullSoon is how soon the spool may be full without anybody being told.
	fullSoon = 24 * time.Hour
	// behindLong is when a destination that is behind is worth a word.
	behindLong = 5 * time.Minute
)

// concernsOf lists what needs people, the worst first.
func concernsOf(states []State, letters letterCount) []concern {
	now := states[len(states)-1]
	var found []concern
	if now.Refused != nil {
		found = append(found, concern{
			Bad: true, Title: "Events are refused",
			Detail: "Whoever sends is told to try again later: " + now.Refused.Error() + ". Look whether the disk of data_dir is full or read-only.",
		})
	}
	if now.FullIn > 0 && now.FullIn < fullSoon {
		found = append(found, concern{
			Bad: true, Title: "The disk is full in " + formatDuration(now.FullIn),
			Detail: fmt.Sprintf("Events wait for %s faster than they go, and then they are refused. Get %s to work again, or give data_dir more room.", now.Behind, now.Behind),
		})
	}
	for _, d := range now.Destinations {
		found = append(found, concernsAt(d, now.At)...)
		if n, more := letters.at(d.Destination); n > 0 {
			found = append(found, ofLetters(d.Destination, n, more))
		}
	}
	if n := grown(states, rejected); n > 0 {
		found = append(found, concern{
			Title:  plural(n, "event was", "events were") + " refused at the door",
			Detail: "They lack what their type needs, such as a userId or the name of the event. Each is kept with its reason: select * from verobridge.rejected_events order by received_at desc. Mend the app that sends them.",
		})
	}
	if n := grown(states, func(s State) int { return s.Unknown }); n > 0 {
		found = append(found, concern{
			Title:  plural(n, "call", "calls") + " came with a write key that no source has",
			Detail: "Refused with 401; no event of theirs is kept, but verobridge.refusals has a sample, and verobridge why <messageId> finds a call in it. Compare the key in the app with those in the settings.",
			Path:   "/setup", Link: "Write keys",
		})
	}
	if n := grown(states, func(s State) int { return s.Discards }); n > 0 {
		found = append(found, concern{
			Title:  plural(n, "value", "values") + " did not fit the column",
			Detail: "Their rows were loaded with null instead, and the values are kept. If the column has the wrong type, verobridge repair gives it another and puts them in.",
			Path:   "/tables", Link: "Tables",
		})
	}
	slices.SortStableFunc(found, func(a, b concern) int {
		switch {
		case a.Bad == b.Bad:
			return 0
		case a.Bad:
			return -1
		default:
			return 1
		}
	})
	return found
}

// concernsAt lists what keeps a destination from having what is there for it.
func concernsAt(d DestinationState, now time.Time) []concern {
	switch waits := now.Sub(d.BehindSince); {
	case !d.PausedSince.IsZero():
		why := story.Paused(d.Reason)
		return []concern{{
			Bad: true, Title: fmt.Sprintf("%s has been paused for %s", d.Destination, formatDuration(now.Sub(d.PausedSince))),
			Detail: why.Cause + " " + why.Cure,
			Path:   "/deliveries?destination=" + d.Destination + "&status=" + string(delivery.StatusWaiting), Link: "What waits",
		}}
	case !d.BehindSince.IsZero() && waits > behindLong:
		return []concern{{
			Title:  fmt.Sprintf("%s is %s behind", d.Destination, formatDuration(waits)),
			Detail: "It takes events more slowly than they come in. If that lasts, raise its concurrency or rate; for the warehouse, give Postgres more power.",
		}}
	default:
		return nil
	}
}

func ofLetters(destination string, n int, more bool) concern {
	count := plural(n, "dead letter", "dead letters")
	if more {
		count = formatCount(n) + " or more dead letters"
	}
	return concern{
		Title:  fmt.Sprintf("%s of %s", count, destination),
		Detail: "These events failed for good, or nobody can tell whether they arrived. Each has its reason; mend the cause, then send them again or drop them.",
		Path:   "/deliveries?destination=" + destination + "&status=" + string(delivery.StatusDead), Link: "Look at them",
	}
}
