package people

import (
	"time"

	"github.com/verobridge/verobridge/internal/event"
)

// visitor is an anonymousId of a source. The same id in another source is
// somebody else.
type visitor struct{ source, anonymousID string }

// link says which user a visitor is, and since when. The zero link is nobody.
type link struct {
	userID string
	since  time.Time
}

// known says whether the link says who the visitor was when an event was
// received.
func (l link) known(at time.Time) bool { return l.userID != "" && !l.since.After(at) }

// linksOf returns the visitors that an event says are its user. Segment's spec
// has two calls for it (segment-docs, spec/identify and spec/alias). The old id
// of an alias call may be a userId instead; then nobody is a visitor by it.
func linksOf(e event.Event) []visitor {
	var ids []string
	switch e.Type {
	case event.Identify:
		ids = []string{e.AnonymousID()}
	case event.Alias:
		ids = []string{e.PreviousID(), e.AnonymousID()}
	default:
		return nil
	}
	userID := e.UserID()
	if userID == "" || len(userID) > maxIDBytes {
		return nil
	}
	var visitors []visitor
	for i, id := range ids {
		if id != "" && id != userID && len(id) <= maxIDBytes && (i == 0 || id != ids[0]) {
			visitors = append(visitors, visitor{e.Source, id})
		}
	}
	return visitors
}
