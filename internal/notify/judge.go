package notify

import (
	"fmt"
	"strings"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// State is how things stand at some time.
type State struct {
	At time.Time
	// Refused is why calls are answered with 503 now, nil where they are not.
	Refused error
	// Refusals is how often calls were answered so since the bridge started.
	Refusals int64
	// Destinations are all destinations, the warehouse among them.
	Destinations []delivery.Standing
	// FullIn is when the spool is full at the present rate, if Filling, and Behind
	// the destination that holds it up.
	FullIn  time.Duration
	Filling bool
	Behind  string
}

// Limits say from when on something is worth a message.
type Limits struct {
	// Lag is how far behind a destination may be. Defaults to 15 min.
	Lag time.Duration
	// FullIn is how soon the spool may be full. Defaults to a day.
	FullIn time.Duration
	// Quiet is for how long no event must have become a dead letter for that to be
	// over. Defaults to an hour.
	Quiet time.Duration
}

// The kinds of alerts. Their names are a contract with whoever reads messages by
// program.
const (
	KindRefusing = "calls_refused"
	KindPaused   = "destination_paused"
	KindBehind   = "destination_behind"
	KindFilling  = "spool_full_soon"
	KindLetters  = "dead_letters"
)

// Severity says whether events are at stake.
type Severity string

// The severities.
const (
	Critical Severity = "critical" // events are lost, or will be
	Warning  Severity = "warning"  // all is kept, and late
)

// Alert is something that is wrong.
type Alert struct {
	Kind        string
	Severity    Severity
	Destination string // empty where it is about none
	Reason      delivery.Reason
	Since       time.Time
	// What is a sentence on what is wrong, Cure one on what to do.
	What, Cure string
}

// key tells alerts apart.
func (a Alert) key() string { return a.Kind + " " + a.Destination }

// letters is what is remembered of a destination's dead letters.
type letters struct {
	counted int       // when it was looked last
	began   time.Time // when they began to rise, zero while they do not
	rose    time.Time // last
	since   int       // how many there were before that
}

// judge says what is wrong.
type judge struct {
	limits   Limits
	letters  map[string]letters
	refusals int64 // when it was looked last
}

func newJudge(l Limits) *judge {
	return &judge{limits: l, letters: make(map[string]letters)}
}

// alerts returns what is wrong now, the worst first.
func (j *judge) alerts(s State) []Alert {
	var found []Alert
	if s.Refused != nil || s.Refusals > j.refusals {
		found = append(found, Alert{
			Kind: KindRefusing, Severity: Critical, Since: s.At,
			What: "calls are answered with 503, because they cannot be put on disk",
			Cure: "Look whether the disk of data_dir is full, read-only or failing; /readyz and the log have the reason.",
		})
	}
	j.refusals = s.Refusals
	if s.Filling && s.FullIn < j.limits.FullIn {
		found = append(found, Alert{
			Kind: KindFilling, Severity: Critical, Since: s.At,
			What: fmt.Sprintf("the spool is full in %s at the present rate, and then calls are answered with 503; what waits is for %s", words(s.FullIn), s.Behind),
			Cure: "Get " + s.Behind + " to work again, or give data_dir more room.",
		})
	}
	for _, d := range s.Destinations {
		found = append(found, j.destination(d, s.At)...)
	}
	return found
}

// destination returns what is wrong with one.
func (j *judge) destination(d delivery.Standing, now time.Time) []Alert {
	var found []Alert
	switch behind := now.Sub(d.BehindSince); {
	case !d.PausedSince.IsZero():
		found = append(found, Alert{
			Kind: KindPaused, Severity: Warning, Destination: d.Destination, Reason: d.Reason, Since: d.PausedSince,
			What: d.Destination + " takes nothing: " + strings.TrimPrefix(d.Reason.Sentence(), "waits, because "),
			Cure: "Everything is kept, and it is probed until it answers. verobridge check says what is wrong with it.",
		})
	case !d.BehindSince.IsZero() && behind > j.limits.Lag:
		found = append(found, Alert{
			Kind: KindBehind, Severity: Warning, Destination: d.Destination, Since: d.BehindSince,
			What: fmt.Sprintf("%s is %s behind", d.Destination, words(behind)),
			Cure: "It is slower than what comes in. Everything is kept. See docs/operations.md, metrics to watch.",
		})
	}
	l, known := j.letters[d.Destination]
	if known && d.Buried > l.counted {
		if l.began.IsZero() {
			l.began, l.since = now, l.counted
		}
		l.rose = now
	}
	if now.Sub(l.rose) > j.limits.Quiet {
		l.began = time.Time{}
	}
	l.counted = d.Buried
	j.letters[d.Destination] = l
	if !l.began.IsZero() {
		found = append(found, Alert{
			Kind: KindLetters, Severity: Warning, Destination: d.Destination, Since: l.began,
			What: fmt.Sprintf("%d events became dead letters at %s", d.Buried-l.since, d.Destination),
			Cure: "verobridge dead list --since 1h has the reasons. Mend the cause, then retry or drop them.",
		})
	}
	return found
}

// words writes a duration as people say it.
func words(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	default:
		return fmt.Sprintf("%d minutes", max(1, d/time.Minute))
	}
}
