package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/verobridge/verobridge/internal/console"
	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/spool"
)

// letterFilter picks dead letters. Empty fields pick all.
type letterFilter struct {
	ids                 []string
	destination         string
	status              delivery.Status
	reason              delivery.Reason
	source, event, user string
	since               time.Time
	upTo, limit, picked int
	// keys name single letters; received bounds the time of receipt, not before
	// the first and before the second.
	keys     []console.LetterKey
	received [2]time.Time
}

// picksSome says whether a query picks dead letters at all, instead of taking all
// that there are.
func picksSome(q url.Values) bool {
	for name, values := range q {
		if name != "all" && name != "up_to" && slices.ContainsFunc(values, func(v string) bool { return v != "" }) {
			return true
		}
	}
	return false
}

func letterFilterOf(q url.Values, now time.Time) (*letterFilter, error) {
	f := &letterFilter{
		ids:         q["id"],
		destination: q.Get("destination"),
		status:      delivery.Status(q.Get("status")),
		reason:      delivery.Reason(q.Get("reason")),
		source:      q.Get("source"), event: q.Get("event"), user: q.Get("user"),
	}
	var err error
	if f.limit, err = number(q, "limit", 0); err != nil {
		return nil, err
	}
	if f.upTo, err = number(q, "up_to", 0); err != nil {
		return nil, err
	}
	f.since, err = moment(q, "since", now, time.Time{})
	return f, err
}

// pick says whether a letter is wanted. The limit counts those that are.
func (f *letterFilter) pick(l spool.Letter) bool {
	r := l.Report
	if f.limit > 0 && f.picked == f.limit ||
		f.upTo > 0 && l.Sequence() > uint64(f.upTo) ||
		len(f.ids) > 0 && !slices.Contains(f.ids, l.ID()) ||
		f.destination != "" && f.destination != r.Destination ||
		f.status != "" && f.status != r.Status ||
		f.reason != "" && f.reason != r.Reason ||
		f.source != "" && f.source != r.Source ||
		f.event != "" && f.event != r.Event ||
		f.user != "" && f.user != r.UserID && f.user != r.AnonymousID ||
		r.SettledAt.Before(f.since) ||
		len(f.keys) > 0 && !slices.Contains(f.keys, console.LetterKey{Source: r.Source, MessageID: l.ID(), Destination: r.Destination}) ||
		r.ReceivedAt.Before(f.received[0]) ||
		!f.received[1].IsZero() && !r.ReceivedAt.Before(f.received[1]) {
		return false
	}
	f.picked++
	return true
}

// checkFound explains why no letter was picked, where that is by a destination
// which there is not. One that was removed from the settings may have left some.
func (b *bridge) checkFound(f *letterFilter) error {
	if f.picked > 0 || f.destination == "" {
		return nil
	}
	return b.checkDestination(f.destination)
}

// letterLine is a dead letter as the admin API shows it. With the sequence of the
// last one as up_to, those that came later are not taken with them.
type letterLine struct {
	ID       string `json:"id"`
	Sequence uint64 `json:"sequence"`
	spool.Letter
}

// deadLetters answers GET /api/dead, oldest first.
func (b *bridge) deadLetters(w http.ResponseWriter, r *http.Request) {
	filter, err := letterFilterOf(r.URL.Query(), time.Now())
	if err != nil {
		problem(w, http.StatusBadRequest, err)
		return
	}
	out := newLines(w)
	if err := b.spool.Letters(r.Context(), func(l spool.Letter) error {
		if !filter.pick(l) {
			return nil
		}
		return out.write(letterLine{l.ID(), l.Sequence(), l})
	}); err != nil {
		out.fail(err)
		return
	}
	if err := b.checkFound(filter); err != nil {
		problem(w, http.StatusBadRequest, err)
	}
}

// taken is how many dead letters were sent again or dropped.
type taken struct {
	Letters int `json:"letters"`
}

// takeDead answers POST /api/dead/retry and /api/dead/drop. To take all letters
// is to be said.
func (b *bridge) takeDead(take func(context.Context, func(spool.Letter) bool) (int, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		filter, err := letterFilterOf(r.URL.Query(), time.Now())
		if err != nil {
			problem(w, http.StatusBadRequest, err)
			return
		}
		if q := r.URL.Query(); !picksSome(q) && q.Get("all") != "true" {
			problem(w, http.StatusBadRequest, errors.New("say which dead letters with id, destination, status, reason, source, event, user, since or limit, or all=true"))
			return
		}
		// It is not left half done because somebody does not wait for it.
		n, err := take(context.WithoutCancel(r.Context()), filter.pick)
		switch {
		case errors.Is(err, spool.ErrFull):
			problem(w, http.StatusServiceUnavailable, fmt.Errorf(
				"%d are queued, and there is no room for more until some of them are sent; run the same command again later", n))
		case err != nil:
			problem(w, http.StatusInternalServerError, err)
		case b.checkFound(filter) != nil:
			problem(w, http.StatusBadRequest, b.checkFound(filter))
		default:
			writeJSON(w, http.StatusOK, taken{n})
		}
	}
}
