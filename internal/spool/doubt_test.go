package spool

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// harmless is for how long the destinations of these tests take equal requests
// for one.
const harmless = 3 * time.Minute

var errSilence = errors.New("no answer within 10 s")

func unanswered() delivery.Outcome {
	return delivery.Unanswered(errSilence, harmless, delivery.Call{Method: "POST", URL: "http://vero/events/track", Error: "no answer"})
}

// tries notes when each event is offered.
type tries struct {
	clock *flight
	mu    sync.Mutex
	at    map[string][]time.Time
}

func newTries(clock *flight) *tries { return &tries{clock: clock, at: make(map[string][]time.Time)} }

func (n *tries) note(e event.Event) (nth int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at[e.ID] = append(n.at[e.ID], n.clock.time())
	return len(n.at[e.ID])
}

func (n *tries) of(id string) []time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.at[id]
}

func TestAnEventInDoubtIsRepeatedWhileThatIsHarmless(t *testing.T) {
	t.Parallel()
	clock := &flight{now: time.Now()}
	s := openFlying(t, t.TempDir(), clock)
	r := reportsOf(t, s)
	tried := newTries(clock)
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		if e.UserID() != "ann" {
			return delivery.Delivered()
		}
		tried.note(e)
		return unanswered()
	})
	appendAll(t, s, call("ann", 0))
	drainTo(t, s, d, DrainOptions{})
	report := r.await(t, "ann-000", delivery.StatusAmbiguous)
	at := tried.of("ann-000")
	end := at[0].Add(harmless)
	if last := at[len(at)-1]; len(at) < 5 || !last.Before(end) || end.Sub(last) > harmless/4 {
		t.Errorf("tried at %v, want several times and the last one shortly before %s", at, end)
	}
	if report.Reason != delivery.ReasonAmbiguous || len(report.Calls) != 1 || report.Attempts != len(at) || report.SettledAt.IsZero() {
		t.Errorf("report %+v, want the call that has no answer and %d attempts", report, len(at))
	}
	if letters := deadLetters(t, s, "vero"); len(letters) != 1 || letters[0].Report.MessageID != "ann-000" {
		t.Errorf("%d letters, want the ambiguous event among them", len(letters))
	}
	appendAll(t, s, call("ann", 1), call("bob", 0))
	d.await(t, 1)
	if n := len(tried.of("ann-000")); n != len(at) {
		t.Errorf("tried %d times after it was ambiguous", n-len(at))
	}
}

// A later attempt that clearly fails, a destination that is down, and a restart
// take the doubt away from no event.
func TestDoubtStays(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]delivery.Outcome{
		"it fails clearly":           delivery.Retry(delivery.ReasonServerError, errors.New("500"), 0),
		"the destination is down":    delivery.Unavailable(delivery.ReasonUnreachable, errors.New("connection refused"), 0),
		"it asks to wait for longer": delivery.Retry(delivery.ReasonServerError, errors.New("500"), 2*harmless),
	} {
		t.Run(name, func(t *testing.T) {
			clock := &flight{now: time.Now()}
			s := openFlying(t, t.TempDir(), clock)
			r := reportsOf(t, s)
			tried := newTries(clock)
			answer := func(e event.Event) delivery.Outcome {
				if tried.note(e) == 1 {
					return unanswered()
				}
				return later
			}
			appendAll(t, s, call("ann", 0))
			drainTo(t, s, newDestination("vero", answer), DrainOptions{})
			r.await(t, "ann-000", delivery.StatusAmbiguous)
			at := tried.of("ann-000")
			if last := at[len(at)-1]; len(at) < 2 || !last.Before(at[0].Add(harmless)) {
				t.Errorf("tried at %v, want again, and not after %s", at, harmless)
			}
		})
	}
}

func TestDoubtSurvivesARestart(t *testing.T) {
	for name, away := range map[string]time.Duration{"in time": time.Second, "too late": harmless} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, "vero")
			s.o.Retry = Backoff{Min: time.Hour, Max: time.Hour}
			appendAll(t, s, call("ann", 0))
			first := newDestination("vero", func(event.Event) delivery.Outcome { return unanswered() })
			stop := drainTo(t, s, first, DrainOptions{})
			<-first.changed
			stop()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}

			s = openFlying(t, dir, &flight{now: time.Now().Add(away)})
			r := reportsOf(t, s)
			again := newDestination("vero", deliverAll)
			drainTo(t, s, again, DrainOptions{})
			appendAll(t, s, call("ann", 1))
			want, status := []string{"ann-000", "ann-001"}, delivery.StatusDelivered
			if away >= harmless {
				want, status = []string{"ann-001"}, delivery.StatusAmbiguous
			}
			if diff := cmp.Diff(want, again.await(t, len(want))); diff != "" {
				t.Errorf("delivered (-want +got):\n%s", diff)
			}
			r.await(t, "ann-000", status)
		})
	}
}

// When everything hangs the destination is down, and the events in doubt are
// what it is probed with, while that is harmless: others do not get in doubt.
func TestAHangingDestinationIsProbedWithWhatIsInDoubt(t *testing.T) {
	clock := &flight{now: time.Now()}
	s := openFlying(t, t.TempDir(), clock)
	tried := newTries(clock)
	start := clock.time()
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		tried.note(e)
		if clock.time().Sub(start) < harmless/2 {
			return unanswered()
		}
		return delivery.Delivered()
	})
	appendAll(t, s, crowd("p", 20)...)
	drainTo(t, s, d, DrainOptions{MaxEvents: 20})
	for _, late := range crowd("q", 20) {
		appendAll(t, s, late)
	}
	d.await(t, 40)
	inDoubt := 0
	for _, late := range crowd("q", 20) {
		inDoubt += len(tried.of(late.ID)) - 1
	}
	if inDoubt > 1 { // the first probe may come before a repetition is due
		t.Errorf("%d probes put fresh events in doubt", inDoubt)
	}
	if letters := deadLetters(t, s, "vero"); len(letters) > 0 {
		t.Errorf("%d letters, want none", len(letters))
	}
}
