package mockvero

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// prefix is the path of the Track API below the server's address.
const prefix = "/api/v2/"

// Form is how emails are reported to the bridge.
type Form string

// The two forms in which Vero reports emails.
const (
	// FormWebhook is Vero's native webhooks, at
	// {bridge}/webhooks/vero/{writeKey}.
	FormWebhook Form = "webhook"
	// FormSegment is track calls, as Vero's Segment source makes them, at
	// {bridge}/v1/track.
	FormSegment Form = "segment"
)

// Options are the settings of a Server.
type Options struct {
	// AuthToken is the only token that is accepted. Defaults to any that is not
	// empty.
	AuthToken string
	// Window is for how long equal events are dropped. Defaults to 5 minutes.
	Window time.Duration
	// Keep is how many calls, and how many events of each person, are
	// remembered; the oldest go first. Defaults to 10,000.
	Keep int
	// Bridge is the base URL to report emails to. Defaults to none: no emails
	// are made.
	Bridge string
	// WriteKey is the bridge's key for what comes from Vero.
	WriteKey string
	// Form is how emails are reported. Defaults to FormWebhook.
	Form Form
	// Workflows names the events that trigger an email, as Vero compares names.
	// Defaults to all, which is nil; an empty list is none.
	Workflows []string
	// Pace is the time between two reports of an email. Defaults to 100 ms.
	Pace time.Duration
	// Logger gets what goes wrong. Defaults to none.
	Logger *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Server is a mock of Vero. It is an http.Handler and safe for concurrent use.
type Server struct {
	options Options
	now     func() time.Time
	logger  *slog.Logger
	faults  faults
	mailer  *mailer // nil where no emails are made

	mu    sync.Mutex
	calls []Call
	total int // calls so far
	state state
}

// Call is one request to the Track API.
type Call struct {
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	// Path is below /api/v2/ and without .json, such as events/track.
	Path  string `json:"path"`
	Query string `json:"query,omitempty"`
	// Body is as it came if it is JSON, and a JSON string of it if not.
	Body json.RawMessage `json:"body,omitempty"`
	// Status is the answer, 0 where the connection was reset.
	Status int `json:"status"`
	// Duplicate says that the event was dropped as a repetition.
	Duplicate bool `json:"duplicate,omitempty"`
}

// New returns a server. It must be closed when it makes emails.
func New(o Options) *Server {
	o.Window = cmp.Or(o.Window, 5*time.Minute)
	o.Keep = cmp.Or(o.Keep, 10_000)
	o.Pace = cmp.Or(o.Pace, 100*time.Millisecond)
	s := &Server{
		options: o,
		now:     o.Now,
		logger:  cmp.Or(o.Logger, slog.New(slog.DiscardHandler)),
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.state = newState(o.Window, o.Keep)
	if o.Bridge != "" {
		s.mailer = newMailer(s)
	}
	return s
}

// Close waits until the emails that are under way have been reported, without
// their pauses. Events after it make no emails.
func (s *Server) Close() {
	if s.mailer != nil {
		s.mailer.close()
	}
}

// Calls returns the calls so far, oldest first, faults included.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Effects returns what the calls have led to, as a copy: it costs more the more
// people and events there are.
func (s *Server) Effects() Effects {
	s.mu.Lock()
	effects := s.state.effects()
	s.mu.Unlock()
	effects.Totals = s.Totals()
	return effects
}

// Totals returns the counts alone. They are cheap.
func (s *Server) Totals() Totals {
	s.mu.Lock()
	totals := Totals{Calls: s.total, Events: s.state.events}
	s.mu.Unlock()
	if s.mailer != nil {
		totals.Emails, totals.EmailsDropped = s.mailer.counts()
	}
	return totals
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, prefix):
		s.serveAPI(w, r)
	case strings.HasPrefix(r.URL.Path, "/mock/"):
		s.serveControl(w, r)
	default:
		answer(w, http.StatusNotFound, "Not Found")
	}
}

// serveAPI answers one call of the Track API.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, prefix), ".json")
	p, err := readParams(w, r)
	c := Call{At: s.now().UTC(), Method: r.Method, Path: path, Query: r.URL.RawQuery, Body: p.asJSON()}

	fault, faulty := s.faults.take(path, p.raw)
	replaced := faulty && fault.refuses()
	var message string
	if !replaced || fault.Apply {
		c.Status, message, c.Duplicate = s.perform(r.Method+" "+path, p, err)
	}
	if replaced {
		c.Status = fault.answerStatus()
	}
	gone := faulty && !fault.wait(r.Context())
	if gone {
		c.Status = 0
	}
	s.record(c)
	switch {
	case gone:
	case replaced:
		fault.answer(w)
	default:
		answer(w, c.Status, message)
	}
}

// perform checks a call and does what it says, in Vero's order: path,
// parameters, token. unreadable says why there are no parameters.
func (s *Server) perform(call string, p params, unreadable error) (status int, message string, duplicate bool) {
	ep, known := endpoints[call]
	switch {
	case !known:
		return http.StatusNotFound, "Not Found", false
	case unreadable != nil:
		return http.StatusBadRequest, "Bad Request: " + unreadable.Error(), false
	case ep.check == nil:
		return http.StatusOK, ep.message, false
	}
	if err := ep.check(p); err != nil {
		return http.StatusBadRequest, "Bad Request: " + err.Error(), false
	}
	if token := p.token(); token == "" || s.options.AuthToken != "" && token != s.options.AuthToken {
		return http.StatusUnauthorized, "Unauthorized", false
	}
	s.mu.Lock()
	mail, duplicate := ep.apply(&s.state, p, s.now())
	s.mu.Unlock()
	if mail != nil && s.mailer != nil {
		s.mailer.send(*mail)
	}
	return http.StatusOK, "Success.", duplicate
}

func (s *Server) record(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total++
	s.calls = appendBounded(s.calls, c, s.options.Keep)
}

// appendBounded appends and forgets the oldest beyond the bound.
func appendBounded[T any](list []T, item T, bound int) []T {
	if len(list) >= bound {
		list = list[len(list)-bound+1:]
	}
	return append(list, item)
}

// answer writes an answer in Vero's form.
func answer(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, struct {
		Status  int    `json:"status"`
		Message string `json:"message"`
	}{status, message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller has gone; nobody to tell
}
