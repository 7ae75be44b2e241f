package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/verobridge/verobridge/internal/event"
)

// apiHandler serves what the subcommands ask of the running bridge: the spool
// belongs to it alone. Lists come as one JSON value a line. A page of another
// site cannot change anything through the operator's browser.
func (b *bridge) apiHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/events", b.latestEvents)
	mux.HandleFunc("GET /api/dead", b.deadLetters)
	mux.HandleFunc("POST /api/dead/retry", b.takeDead(b.spool.Retry))
	mux.HandleFunc("POST /api/dead/drop", b.takeDead(b.spool.Drop))
	mux.HandleFunc("GET /api/replay", b.planReplay)
	mux.HandleFunc("POST /api/replay", b.startReplay)
	mux.HandleFunc("GET /api/replay/queue", b.replayQueue)
	mux.HandleFunc("GET /api/forget", b.planForget)
	mux.HandleFunc("POST /api/forget", b.forget)
	return http.NewCrossOriginProtection().Handler(mux)
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
