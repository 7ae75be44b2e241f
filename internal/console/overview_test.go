package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// healthy is a bridge that takes and delivers ten events a second.
func healthy(at time.Time) State {
	n := int(at.Sub(noon).Seconds()) * 10
	return State{
		At:      at,
		Sources: []SourceState{{Name: "app", Accepted: n}},
		Destinations: []DestinationState{
			{Standing: delivery.Standing{Destination: "warehouse"}, Delivered: n},
			{Standing: delivery.Standing{Destination: "vero"}, Delivered: n},
		},
		SpoolBytes: 1 << 20, SpoolLimit: 1 << 30,
		Fresh: Histogram{Bounds: []float64{0.1, 1}, Counts: []uint64{uint64(n * 9 / 10), uint64(n)}},
	}
}

// What needs people is said, with what to do; and nothing is said where nothing
// does.
func TestConcerns(t *testing.T) {
	t.Parallel()
	none := letterCount{}
	for _, test := range []struct {
		name    string
		change  func(*State)
		letters letterCount
		want    []string // parts of title and detail, in order; none for no concern
	}{
		{name: "nothing", change: func(*State) {}},
		{
			name: "a refused token",
			change: func(s *State) {
				s.Destinations[1].PausedSince, s.Destinations[1].Reason = s.At.Add(-90*time.Second), delivery.ReasonRefused
			},
			want: []string{"vero has been paused for 90 s", "auth_token", "restart"},
		},
		{name: "a moment behind", change: func(s *State) { s.Destinations[1].BehindSince = s.At.Add(-time.Second) }},
		{
			name:   "far behind",
			change: func(s *State) { s.Destinations[1].BehindSince = s.At.Add(-3 * time.Hour) },
			want:   []string{"vero is 3 h behind", "raise its concurrency"},
		},
		{
			name:   "a full disk",
			change: func(s *State) { s.Refused = errors.New("the spool is full") },
			want:   []string{"Events are refused", "data_dir"},
		},
		{
			name:   "a disk that fills up",
			change: func(s *State) { s.FullIn, s.Behind = 3*time.Hour, "vero" },
			want:   []string{"full in 3 h", "wait for vero"},
		},
		{name: "a disk that fills up some day", change: func(s *State) { s.FullIn = 100 * time.Hour }},
		{
			name: "letters", change: func(*State) {}, letters: letterCount{by: map[string]int{"vero": 1000}, more: true},
			want: []string{"1,000 or more dead letters of vero", "send them again"},
		},
		{
			name: "refused events", change: func(s *State) { s.Sources[0].Rejected = 3 },
			want: []string{"3 events were refused", "rejected_events"},
		},
		{
			name: "Postgres is away",
			change: func(s *State) {
				s.Destinations[0].PausedSince, s.Destinations[0].Reason = s.At.Add(-64*time.Second), delivery.ReasonUnreachable
				s.Destinations[0].Detail = "failed to connect to `user=bridge database=events`"
			},
			want: []string{"warehouse has been paused for 64 s", "everything is kept. Check"},
		},
		{
			name: "one letter", change: func(*State) {}, letters: letterCount{by: map[string]int{"vero": 1}},
			want: []string{"1 dead letter of vero"},
		},
		{name: "unknown keys", change: func(s *State) { s.Unknown = 2 }, want: []string{"2 calls", "401", "verobridge.refusals"}},
		{name: "discards", change: func(s *State) { s.Discards = 2 }, want: []string{"2 values", "verobridge repair"}},
	} {
		states := []State{healthy(noon), healthy(noon.Add(time.Minute))}
		test.change(&states[1])
		if test.letters.by == nil {
			test.letters = none
		}
		found := concernsOf(states, test.letters)
		if len(test.want) == 0 != (len(found) == 0) {
			t.Errorf("%s: %+v", test.name, found)
			continue
		}
		for _, part := range test.want {
			if text := found[0].Title + " " + found[0].Detail; !strings.Contains(text, part) {
				t.Errorf("%s: %q does not say %q", test.name, text, part)
			}
		}
	}
}

// The worst comes first.
func TestConcernsAreSorted(t *testing.T) {
	t.Parallel()
	s := healthy(noon.Add(time.Minute))
	s.Destinations[1].PausedSince, s.Destinations[1].Detail = noon, "waits, because nobody is there"
	found := concernsOf([]State{healthy(noon), s}, letterCount{by: map[string]int{"warehouse": 1}})
	if len(found) != 2 || !found[0].Bad || found[1].Bad {
		t.Errorf("%+v", found)
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	h := newHistory()
	_, changed := h.all()
	for at := noon; at.Sub(noon) <= 2*sampleWindow; at = at.Add(sampleEvery) {
		h.add(healthy(at))
	}
	select {
	case <-changed:
	default:
		t.Error("nobody is told that something changed")
	}
	states, _ := h.all()
	if span := states[len(states)-1].At.Sub(states[0].At); span != sampleWindow {
		t.Errorf("%s are remembered, want %s", span, sampleWindow)
	}
	if got := rateNow(states, accepted); got != 10 {
		t.Errorf("%v a second now, want 10", got)
	}
	if got := grown(states, accepted); got != 10*int(sampleWindow.Seconds()) {
		t.Errorf("%d in all", got)
	}
	for i, r := range rates(states, accepted) {
		if r != 10 {
			t.Fatalf("%v a second at %d, want 10", r, i)
		}
	}
	if got := rateNow(states[:1], accepted) + rateNow(nil, accepted); got != 0 {
		t.Errorf("%v a second without anything to compare", got)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	h := Histogram{Bounds: []float64{0.1, 1, 10}, Counts: []uint64{90, 99, 100}}
	for share, want := range map[float64]time.Duration{0.45: 50 * time.Millisecond, 0.9: 100 * time.Millisecond, 0.99: time.Second, 1: 10 * time.Second} {
		if got, ok := h.quantile(share); !ok || got != want {
			t.Errorf("%v of them took %s, want %s", share, got, want)
		}
	}
	if _, ok := (Histogram{}).quantile(0.5); ok {
		t.Error("nothing took some time")
	}
	fresh := h.since(Histogram{h.Bounds, []uint64{90, 90, 90}})
	if diff := cmp.Diff([]uint64{0, 9, 10}, fresh.Counts); diff != "" {
		t.Errorf("what is new (-want +got):\n%s", diff)
	}
}

// The overview says how it stands, and is sent anew when that changes.
func TestOverview(t *testing.T) {
	t.Parallel()
	now := noon
	c, v := visit(t, Options{Now: func() time.Time { return now }})
	text := func() string {
		t.Helper()
		answer, err := v.client.Get(v.url + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v", answer.Status, err)
		}
		return string(body)
	}
	if got := text(); !strings.Contains(got, "has just started") {
		t.Error("at first it does not say that nothing is known yet")
	}
	sent := make(chan string, 10)
	go func() {
		_ = c.tellOverview(t.Context(), func(html []byte) error {
			sent <- string(html)
			return nil
		})
	}()
	<-sent
	c.history.add(healthy(noon))
	<-sent
	s := healthy(noon.Add(time.Minute))
	s.Destinations[1].PausedSince, s.Destinations[1].Reason = noon, delivery.ReasonUnreachable
	c.history.add(s)
	if got := <-sent; !strings.Contains(got, "vero has been paused") {
		t.Errorf("it was not sent that vero is paused:\n%s", got)
	}
	for _, part := range []string{"vero has been paused", "600", `href="/live?source=app"`, "everything is kept"} {
		if got := text(); !strings.Contains(got, part) {
			t.Errorf("it does not say %q", part)
		}
	}
}

// endless are dead letters without an end.
type endless struct {
	DeadLetters
	looks int
}

func (l *endless) EachLetter(_ context.Context, each func(string) bool) error {
	l.looks++
	for each("vero") {
	}
	return nil
}

// Dead letters are counted up to a bound, and not on every look.
func TestLetterCounter(t *testing.T) {
	t.Parallel()
	letters := &endless{}
	l := &letterCounter{letters: letters}
	for _, at := range []time.Time{noon, noon.Add(lettersEvery / 2), noon.Add(lettersEvery)} {
		if n, more := l.count(t.Context(), at).at("vero"); n != lettersMost || !more {
			t.Errorf("%d letters, more: %t", n, more)
		}
	}
	if letters.looks != 2 {
		t.Errorf("they were read %d times, want 2", letters.looks)
	}
}
