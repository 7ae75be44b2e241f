package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/verobridge/verobridge/internal/event"
)

// apiHandler serves what the subcommands ask of the running bridge: the spool
// belongs to it alone. Lists come as one JSON value a line. A page of another
// site cannot change anything through the operator's browser.
func (b *bridge) apiHandler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, answer http.HandlerFunc, parameters []string) {
		mux.Handle(pattern, only(parameters, answer))
	}
	letters := []string{"id", "destination", "status", "reason", "source", "event", "user", "since", "limit", "up_to"}
	taking := append([]string{"all"}, letters...)
	replay := []string{"destination", "from", "to", "source", "event", "user", "force", "rate"}
	person := []string{"user_id", "email", "anonymous_id"}
	handle("GET /api/events", b.latestEvents, []string{"last", "source", "event", "user"})
	handle("GET /api/tail", b.tail, []string{"last", "source", "event", "person"})
	handle("GET /api/dead", b.deadLetters, letters)
	handle("POST /api/dead/retry", b.takeDead(b.spool.Retry), taking)
	handle("POST /api/dead/drop", b.takeDead(b.spool.Drop), taking)
	handle("GET /api/replay", b.planReplay, replay)
	handle("POST /api/replay", b.startReplay, replay)
	handle("GET /api/replay/queue", b.replayQueue, []string{"destination"})
	handle("GET /api/forget", b.planForget, person)
	handle("POST /api/forget", b.forget, person)
	return http.NewCrossOriginProtection().Handler(mux)
}

// only refuses query parameters but those of the names: a filter that is misspelt
// must not mean everything.
func only(names []string, answer http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			problem(w, http.StatusBadRequest, fmt.Errorf("read the query: %w", err))
			return
		}
		for _, name := range slices.Sorted(maps.Keys(query)) {
			if !slices.Contains(names, name) {
				problem(w, http.StatusBadRequest, fmt.Errorf("there is no parameter %q here; there are %s", name, strings.Join(names, ", ")))
				return
			}
		}
		answer(w, r)
	})
}

// checkDestination says which destinations there are, if that is none of them.
func (b *bridge) checkDestination(name string) error {
	if names := b.destinations(); !slices.Contains(names, name) {
		return &parameterError{"destination", "one of " + strings.Join(names, ", ")}
	}
	return nil
}

// problem answers with what is wrong, as JSON.
func problem(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, apiError{err.Error()})
}

type apiError struct {
	Error string `json:"error"`
}

// lines writes one JSON value a line. It takes as long as it takes.
type lines struct {
	w       http.ResponseWriter
	encoder *json.Encoder
}

func newLines(w http.ResponseWriter) *lines {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a test's recorder has none
	w.Header().Set("Content-Type", "application/x-ndjson")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return &lines{w, encoder}
}

func (l *lines) write(v any) error { return l.encoder.Encode(v) }

// flush sends what is written so far.
func (l *lines) flush() { _ = http.NewResponseController(l.w).Flush() }

// fail says, after lines that are sent already, why there are no more.
func (l *lines) fail(err error) { _ = l.write(apiError{err.Error()}) }

// eventFilter picks events by what their source says of them. Empty fields pick
// all.
type eventFilter struct{ source, event, user string }

func eventFilterOf(q url.Values) eventFilter {
	return eventFilter{q.Get("source"), q.Get("event"), q.Get("user")}
}

func (f eventFilter) matches(e event.Event) bool {
	return (f.source == "" || f.source == e.Source) &&
		(f.event == "" || f.event == e.Name()) &&
		(f.user == "" || f.user == e.UserID() || f.user == e.AnonymousID())
}

// number reads a query parameter that is a whole number above zero.
func number(q url.Values, name string, byDefault int) (int, error) {
	if !q.Has(name) {
		return byDefault, nil
	}
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 1 {
		return 0, &parameterError{name, "a whole number above 0"}
	}
	return n, nil
}

// moment reads a query parameter that is a time, or an age, such as 24h, before
// now.
func moment(q url.Values, name string, now, byDefault time.Time) (time.Time, error) {
	text := q.Get(name)
	if text == "" {
		return byDefault, nil
	}
	if t, ok := event.ParseTime(text); ok {
		return t, nil
	}
	if age, err := time.ParseDuration(text); err == nil && age >= 0 {
		return now.Add(-age).UTC(), nil
	}
	return time.Time{}, &parameterError{name, "a time such as 2026-11-20T08:00:00Z, a date, or an age such as 24h"}
}

// parameterError says what a query parameter must be.
type parameterError struct{ name, form string }

func (e *parameterError) Error() string { return e.name + " must be " + e.form }
