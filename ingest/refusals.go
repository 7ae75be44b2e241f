package ingest

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"
	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

const (
	// maxRefused bounds the rows that are kept between two flushes, so that
	// strangers decide neither how much memory nor how much disk they get.
	maxRefused = 20
	// maxRefusedIDs and maxRefusedID bound the messageIds in a row, and each in
	// bytes. A longer one is left out: nobody looks for the first half of an id.
	maxRefusedIDs = 20
	maxRefusedID  = 100
	// mostShown is how much of a write key is shown at most, and shownPart which
	// part of a shorter one.
	mostShown, shownPart = 4, 4
)

// Refusals remembers which requests were refused as a whole, so that somebody who
// misses an event can be told why. It is a sample: equal refusals are counted
// together, others than the first few between two flushes are forgotten. It is
// safe for concurrent use.
type Refusals struct {
	mu   sync.Mutex
	list []event.Refusal
}

// NewRefusals returns an empty one.
func NewRefusals() *Refusals { return new(Refusals) }

// Flush hands over what there is and forgets it, unless write returns an error:
// then it is handed over again the next time.
func (r *Refusals) Flush(ctx context.Context, write func(context.Context, []event.Refusal) error) error {
	r.mu.Lock()
	list := r.list
	r.list = nil
	r.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	err := write(ctx, list)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		later := r.list
		r.list = list
		for _, refusal := range later {
			r.add(refusal)
		}
	}
	return err
}

func (r *Refusals) note(refusal event.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(refusal)
}

func (r *Refusals) add(refusal event.Refusal) {
	for i := range r.list {
		known := &r.list[i]
		if known.Reason != refusal.Reason || known.Source != refusal.Source || known.Key != refusal.Key {
			continue
		}
		known.Calls += refusal.Calls
		known.Requests += refusal.Requests
		room := maxRefusedIDs - len(known.MessageIDs)
		known.MessageIDs = append(known.MessageIDs, refusal.MessageIDs[:min(room, len(refusal.MessageIDs))]...)
		return
	}
	if len(r.list) < maxRefused {
		r.list = append(r.list, refusal)
	}
}

// seenRequest is what was read of a request before it was refused.
type seenRequest struct {
	error
	keys  []string // write keys, the first that is not empty counts
	calls []gjson.Result
}

// Unwrap returns why it was refused.
func (s *seenRequest) Unwrap() error { return s.error }

// refused adds to an error what was read of the request.
func refused(err error, keys []string, calls ...gjson.Result) error {
	return &seenRequest{err, keys, calls}
}

// notRemembered are the failures that no SDK causes: who looks for something else
// than the API is not looking for an event.
var notRemembered = map[*failure]bool{errNotFound: true, errMethod: true}

// remember keeps that a request was refused.
func (h *handler) remember(r *http.Request, f *failure, seen *seenRequest) {
	if h.refusals == nil || notRemembered[f] {
		return
	}
	refusal := event.Refusal{At: h.now().UTC().Truncate(time.Microsecond), Reason: f.code, Detail: f.message, Requests: 1}
	keys := []string{basicKey(r), queryKey(r), mux.Vars(r)["writeKey"]}
	if seen != nil {
		keys = seen.keys
		refusal.Calls = len(seen.calls)
		for _, call := range seen.calls {
			id := call.Get("messageId").String()
			if id != "" && len(id) <= maxRefusedID && !strings.ContainsAny(id, "\n") && len(refusal.MessageIDs) < maxRefusedIDs {
				refusal.MessageIDs = append(refusal.MessageIDs, strings.Clone(id)) // not the whole body with it
			}
		}
	}
	for _, key := range keys {
		if key == "" {
			continue
		}
		if refusal.Key == "" {
			refusal.Key = beginning(key)
		}
		if c := h.keys.find(key); c != nil {
			refusal.Key, refusal.Source = beginning(key), c.source.Name
			break
		}
	}
	h.refusals.note(refusal)
}

// beginning shows enough of a write key to recognise it and too little to use it.
func beginning(key string) string {
	return strings.ToValidUTF8(strings.Clone(key[:min(mostShown, len(key)/shownPart)]), "") + "…"
}
