package delivery

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/verobridge/verobridge/internal/event"
)

// Destination takes events somewhere.
type Destination interface {
	// Name is the destination's name in the settings. The spool keeps its
	// cursor by it: to rename is to start over.
	Name() string

	// Deliver takes a batch, oldest first, and returns one outcome for each
	// event in the same order. It is called by one goroutine at a time and must
	// be idempotent by event ID. When ctx ends it returns soon, with Unavailable
	// for what it did not try.
	//
	// It returns within about 20 s, with Behind for the events that it did not
	// come to: they are offered again, before later ones. What it did is written
	// down only when it returns; after a crash before that it is done again. The
	// first event always has its turn, so that every delivery gets on.
	Deliver(ctx context.Context, batch []event.Event) []Outcome
}

// Sweeper is a Destination that holds events. The spool calls Sweep about once a
// minute, never beside Deliver, and settles what it returns.
type Sweeper interface {
	Destination

	// Sweep returns the held events that are given up now, such as those whose
	// person has not become known in time.
	Sweep(ctx context.Context) ([]Resolved, error)
}

// Starter is a Destination that remembers what it did with events. The spool calls
// Start before the first Deliver, and again when it has taken the destination over
// from another bridge: what is remembered then may not be true any more.
type Starter interface {
	Destination

	// Start forgets what other programs may have changed. It is never called
	// beside Deliver or Sweep.
	Start()
}

// Call is one request that a destination made for an event, with its answer.
// Secrets are redacted by the destination before they get here.
type Call struct {
	Method  string          `json:"method"`
	URL     string          `json:"url"`
	Request json.RawMessage `json:"request,omitempty"`
	Status  int             `json:"status,omitempty"` // 0: no answer
	Answer  string          `json:"answer,omitempty"` // at most its first kilobyte
	Error   string          `json:"error,omitempty"`
	At      time.Time       `json:"at"`
}

// Status is what has become of an event at a destination, as it stands in
// verobridge.deliveries.
type Status string

// The statuses of a delivery. Nothing more happens by itself to an event but
// where it is waiting, for another attempt, or held, for its person.
const (
	StatusWaiting     Status = "waiting"
	StatusHeld        Status = "held"
	StatusDelivered   Status = "delivered"
	StatusSkipped     Status = "skipped"
	StatusDead        Status = "dead"
	StatusAmbiguous   Status = "ambiguous"
	statusUnavailable Status = "unavailable" // of the destination, never reported
)

// Outcome says what became of one event at one destination, once. The zero
// Outcome is not valid.
type Outcome struct {
	status Status
	reason Reason
	err    error
	after  time.Duration
	calls  []Call
	// untried marks a wait that is no attempt, aside one that concerns nobody else.
	untried, aside bool
	about          string // the user it was sent as, where the event names none
	// doubt is for how long a repetition is harmless, 0 where nothing is in doubt.
	doubt    time.Duration
	resolved []Resolved
}

// Resolved is an event that was held, with what has become of it now.
type Resolved struct {
	Event   event.Event
	Outcome Outcome
}

// Delivered says that the event is done. calls are the requests it took, none
// for a destination that makes no requests.
func Delivered(calls ...Call) Outcome {
	return Outcome{status: StatusDelivered, reason: ReasonDelivered, calls: calls}
}

// DeliveredWithout says that the event is done but for a part of it that must
// not be sent, and why.
func DeliveredWithout(reason Reason, calls ...Call) Outcome {
	return Outcome{status: StatusDelivered, reason: reason, calls: calls}
}

// Skipped says that the event is not wanted here, and why.
func Skipped(reason Reason) Outcome {
	return Outcome{status: StatusSkipped, reason: reason}
}

// Retry says that the event failed in a passing way. It is tried again not
// before after, or when the spool's own backoff says so, whichever is later.
func Retry(reason Reason, err error, after time.Duration, calls ...Call) Outcome {
	return Outcome{status: StatusWaiting, reason: reason, err: err, after: after, calls: calls}
}

// Unanswered says that a request of the event went out and nothing came back: it
// may have taken effect. To repeat it is harmless for the window from now on, in
// which the destination takes equal requests for one. It is tried again as after
// Retry, but not later than that: then it is Ambiguous.
func Unanswered(err error, window time.Duration, calls ...Call) Outcome {
	return Outcome{status: StatusWaiting, reason: ReasonUnanswered, err: err, doubt: window, calls: calls}
}

// Ambiguous says that nobody can tell whether the event took effect, and that to
// try it again could make it take effect twice. It is kept with the dead letters
// for people to decide.
func Ambiguous(err error, calls ...Call) Outcome {
	return Outcome{status: StatusAmbiguous, reason: ReasonAmbiguous, err: err, calls: calls}
}

// Held says that the destination keeps the event itself, until the person it is
// about is known or it is too old. The spool is done with it. What becomes of it
// comes back with the outcome of a later event (With), or from a Sweeper.
func Held(reason Reason) Outcome {
	return Outcome{status: StatusHeld, reason: reason}
}

// Aside says that the event waits for something else than this destination, such
// as a database of ours that is down. It is tried again as after Retry, but says
// nothing about the destination, and later events of its people do not wait
// behind it.
func Aside(reason Reason, err error) Outcome {
	return Outcome{status: StatusWaiting, reason: reason, err: err, aside: true}
}

// NotTried says that the event has to wait for another reason than a failure of
// its own.
func NotTried(reason Reason) Outcome {
	return Outcome{status: StatusWaiting, reason: reason, untried: true}
}

// Behind says that the event was not tried, because an earlier event of the
// same person has to succeed first, or the time of a delivery went to earlier
// events.
func Behind() Outcome { return NotTried(ReasonBehind) }

// Dead says that the same event would always fail. It becomes a dead letter.
func Dead(reason Reason, err error, calls ...Call) Outcome {
	return Outcome{status: StatusDead, reason: reason, err: err, calls: calls}
}

// Unavailable says that the destination as a whole takes nothing now: it is
// down, or refuses our credentials. The spool pauses it, keeps everything, and
// probes not before after, or by its own backoff if that is later.
func Unavailable(reason Reason, err error, after time.Duration, calls ...Call) Outcome {
	return Outcome{status: statusUnavailable, reason: reason, err: err, after: after, calls: calls}
}

// With adds what became, on the same occasion, of events that were held. Their
// outcomes must be final. A destination that could not finish one of them answers
// Retry for the event itself, with those that are done.
func (o Outcome) With(resolved ...Resolved) Outcome {
	o.resolved = append(slices.Clip(o.resolved), resolved...)
	return o
}

// About names the user that the event was found to be about, where it names none
// itself. It goes into the report.
func (o Outcome) About(userID string) Outcome {
	o.about = userID
	return o
}

// Status returns what became of the event. An event whose destination is
// unavailable is waiting.
func (o Outcome) Status() Status {
	if o.Unavailable() {
		return StatusWaiting
	}
	return o.status
}

// Final says whether the spool is done with the event.
func (o Outcome) Final() bool { return o.Status() != StatusWaiting }

// Unavailable says whether the verdict is on the destination, not the event.
func (o Outcome) Unavailable() bool { return o.status == statusUnavailable }

// Tried says whether the destination attempted the event. An attempt counts
// towards its backoff.
func (o Outcome) Tried() bool { return !o.untried }

// Aside says whether the event waits by itself, without the later ones of its
// people.
func (o Outcome) Aside() bool { return o.aside }

// Valid says whether the outcome was made by one of this package's functions.
func (o Outcome) Valid() bool { return o.status != "" }

// Reason returns the stable code of the verdict.
func (o Outcome) Reason() Reason { return o.reason }

// Err returns what went wrong, nil for Delivered and Skipped.
func (o Outcome) Err() error { return o.err }

// After returns how long the destination asked to wait, 0 if it did not.
func (o Outcome) After() time.Duration { return o.after }

// Doubt returns for how long from now on it is harmless to repeat a request that
// may have taken effect, 0 if none is in doubt.
func (o Outcome) Doubt() time.Duration { return o.doubt }

// Resolved returns the events held earlier that are done with now.
func (o Outcome) Resolved() []Resolved { return o.resolved }

// Calls returns the requests that were made for the event in this attempt.
func (o Outcome) Calls() []Call { return o.calls }

// Detail is the verdict as a sentence for people.
func (o Outcome) Detail() string {
	if o.err != nil {
		return o.reason.Sentence() + ": " + o.err.Error()
	}
	return o.reason.Sentence()
}

// Report is one event's fate at one destination, as verobridge.deliveries
// keeps it. A later report of the same event and destination replaces it.
type Report struct {
	Source      string     `json:"source"`
	MessageID   string     `json:"message_id"`
	Destination string     `json:"destination"`
	Type        event.Type `json:"type"`
	Event       string     `json:"event,omitempty"`
	UserID      string     `json:"user_id,omitempty"`
	AnonymousID string     `json:"anonymous_id,omitempty"`
	Status      Status     `json:"status"`
	Reason      Reason     `json:"reason"`
	Detail      string     `json:"detail"`
	Attempts    int        `json:"attempts"`
	Calls       []Call     `json:"calls,omitempty"`
	ReceivedAt  time.Time  `json:"received_at"`
	// SettledAt is when the fate became final, zero while it is waiting or held.
	SettledAt time.Time `json:"settled_at,omitzero"`
}

const (
	// maxText bounds the texts in a report, in bytes. Ids are looked up by index,
	// which a longer key would not fit; nobody has real ones of this length.
	maxText = 1024
	// maxRequest bounds each request in a report. A longer one is left out: the
	// event itself is in the warehouse.
	maxRequest = 64 << 10
)

// ReportOf describes what an outcome means for an event. attempts counts the
// attempts so far, this one included; now is the time of the verdict.
func ReportOf(e event.Event, destination string, o Outcome, attempts int, now time.Time) Report {
	r := Report{
		Source:      e.Source,
		MessageID:   e.ID,
		Destination: destination,
		Type:        e.Type,
		Event:       cut(e.Name()),
		UserID:      cut(cmp.Or(e.UserID(), o.about)),
		AnonymousID: cut(e.AnonymousID()),
		Status:      o.Status(),
		Reason:      o.Reason(),
		Detail:      cut(o.Detail()),
		Attempts:    attempts,
		Calls:       bounded(o.Calls()),
		ReceivedAt:  e.ReceivedAt,
	}
	if o.Final() && o.Status() != StatusHeld {
		r.SettledAt = now.UTC()
	}
	if o.Reason() == ReasonSuppressed {
		r.UserID, r.AnonymousID = "", "" // the person was erased
	}
	return r
}

func cut(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxText)], "")
}

func bounded(calls []Call) []Call {
	if !slices.ContainsFunc(calls, func(c Call) bool { return len(c.Request) > maxRequest }) {
		return calls
	}
	short := slices.Clone(calls)
	for i := range short {
		if len(short[i].Request) > maxRequest {
			short[i].Request = nil
		}
	}
	return short
}
