package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

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
	limit, picked       int
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
	f.since, err = moment(q, "since", now, time.Time{})
	return f, err
}

// pick says whether a letter is wanted. The limit counts those that are.
func (f *letterFilter) pick(l spool.Letter) bool {
	r := l.Report
	if f.limit > 0 && f.picked == f.limit ||
		len(f.ids) > 0 && !slices.Contains(f.ids, l.ID()) ||
		f.destination != "" && f.destination != r.Destination ||
		f.status != "" && f.status != r.Status ||
		f.reason != "" && f.reason != r.Reason ||
		f.source != "" && f.source != r.Source ||
		f.event != "" && f.event != r.Event ||
		f.user != "" && f.user != r.UserID && f.user != r.AnonymousID ||
		r.SettledAt.Before(f.since) {
		return false
	}
	f.picked++
	return true
}

// letterLine is a dead letter as the admin API shows it.
type letterLine struct {
	ID string `json:"id"`
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
		return out.write(letterLine{l.ID(), l})
	}); err != nil {
		out.fail(err)
	}
}

// taken is how many dead letters were sent again or dropped.
type taken struct {
	Letters int `json:"letters"`
}

// takeDead answers POST /api/dead/retry and /api/dead/drop.
func (b *bridge) takeDead(take func(context.Context, func(spool.Letter) bool) (int, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		filter, err := letterFilterOf(r.URL.Query(), time.Now())
		if err != nil {
			problem(w, http.StatusBadRequest, err)
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
		default:
			writeJSON(w, http.StatusOK, taken{n})
		}
	}
}
