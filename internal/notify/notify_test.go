package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// story replays how things stood minute by minute, and returns the news, each as
// minute, phase and sentence.
func story(t *testing.T, minutes []State) []string {
	t.Helper()
	n, err := New(Options{URL: "https://hooks.example.com/secret"})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for minute, s := range minutes {
		s.At = start.Add(time.Duration(minute) * time.Minute)
		for _, m := range n.book.update(s.At, n.judge.alerts(s)) {
			told = append(told, strings.Join([]string{m.at.Format("15:04"), string(m.phase), m.alert.Kind, m.alert.What}, " "))
		}
	}
	return told
}

// cause is the sentence of the reason of paused.
var cause = strings.TrimPrefix(delivery.ReasonThrottled.Sentence(), "waits, because ")

func paused(minute int) State {
	return State{Destinations: []delivery.Standing{{Destination: "vero", PausedSince: start.Add(time.Duration(minute) * time.Minute), Reason: delivery.ReasonThrottled}}}
}

func TestNews(t *testing.T) {
	t.Parallel()
	well := State{Destinations: []delivery.Standing{{Destination: "vero"}}}
	behind := State{Destinations: []delivery.Standing{{Destination: "vero", BehindSince: start.Add(-3 * time.Hour)}}}
	buried := func(n int) State {
		return State{Destinations: []delivery.Standing{{Destination: "vero", Buried: n}}}
	}
	throttled := "vero takes nothing: " + cause
	for name, c := range map[string]struct {
		minutes []State
		want    []string
	}{
		"all is well":      {[]State{well, well, well}, nil},
		"a pause":          {[]State{well, paused(1), paused(1), paused(1), well, well, well}, []string{"08:02 began destination_paused " + throttled, "08:04 over destination_paused " + throttled}},
		"a short one":      {[]State{well, paused(1), well, paused(3), well}, nil},
		"one with a break": {[]State{paused(0), paused(0), well, paused(3), paused(3)}, []string{"08:01 began destination_paused " + throttled, "08:02 over destination_paused " + throttled, "08:04 began destination_paused " + throttled}},
		"behind":           {[]State{behind}, []string{"08:00 began destination_behind vero is 3 hours behind"}},
		"refusing": {
			[]State{{Refused: errors.New("full")}, {Refused: errors.New("full")}, {Refused: errors.New("full")}},
			[]string{"08:01 began calls_refused calls are answered with 503, because they cannot be put on disk"},
		},
		"filling": {
			[]State{{Filling: true, FullIn: 25 * time.Hour, Behind: "vero"}, {Filling: true, FullIn: 5 * time.Hour, Behind: "vero"}, {Filling: true, FullIn: 4 * time.Hour, Behind: "vero"}},
			[]string{"08:02 began spool_full_soon the spool is full in 4 hours at the present rate, and then calls are answered with 503; what waits is for vero"},
		},
		"dead letters of before":              {[]State{buried(7), buried(7), buried(7)}, nil},
		"dead letters that there are more of": {[]State{buried(7), buried(9), buried(12), buried(12)}, []string{"08:02 began dead_letters 5 events became dead letters at vero"}},
	} {
		if diff := cmp.Diff(c.want, story(t, c.minutes)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What lasts is told of once a day, and of dead letters it is over after an hour
// without another.
func TestWhatLasts(t *testing.T) {
	t.Parallel()
	minutes := make([]State, 2*24*60+10)
	for i := range minutes {
		minutes[i] = paused(0)
	}
	var phases []string
	for _, m := range story(t, minutes) {
		phases = append(phases, strings.Join(strings.Fields(m)[:2], " "))
	}
	if diff := cmp.Diff([]string{"08:01 began", "08:01 lasts", "08:01 lasts"}, phases); diff != "" {
		t.Errorf("of a pause of two days (-want +got):\n%s", diff)
	}
	for i := range minutes {
		minutes[i] = State{Destinations: []delivery.Standing{{Destination: "vero", Buried: min(i, 3)}}}
	}
	got := story(t, minutes)
	want := []string{"08:02 began dead_letters 2 events became dead letters at vero", "09:04 over dead_letters 3 events became dead letters at vero"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of dead letters (-want +got):\n%s", diff)
	}
}

// looks replays how things stood, look by look, and returns the phases of the news.
func looks(t *testing.T, n int, stand func(at time.Duration) State) (phases []Phase) {
	t.Helper()
	notifier, err := New(Options{URL: "https://hooks.example.com/secret"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		at := time.Duration(i) * notifier.o.Every
		s := stand(at)
		s.At = start.Add(at)
		for _, m := range notifier.book.update(s.At, notifier.judge.alerts(s)) {
			phases = append(phases, m.phase)
		}
	}
	return phases
}

// What has breaks shorter than a minute is told of, once, also where each look finds
// all well and calls were refused in between.
func TestWhatComesAndGoes(t *testing.T) {
	t.Parallel()
	const hours = 8 * 360
	for name, c := range map[string]struct {
		stand func(time.Duration) State
		want  []Phase
	}{
		"refusing for 50 of each 60 s": {func(at time.Duration) (s State) {
			if at < time.Hour && at%time.Minute != 0 {
				s.Refused = errors.New("full")
			}
			return s
		}, []Phase{Began, Over}},
		"refusing between the looks": {func(at time.Duration) State {
			return State{Refusals: int64(min(at, time.Hour) / (30 * time.Second))}
		}, []Phase{Began, Over}},
		"refused once": {func(at time.Duration) State { return State{Refusals: int64(min(at/time.Minute, 1))} }, nil},
		"a forecast around a day": {func(at time.Duration) State {
			return State{Filling: true, Behind: "vero", FullIn: 24*time.Hour + time.Minute - at%(5*time.Minute)/time.Minute*time.Minute}
		}, []Phase{Began, Over, Began}},
		"two pauses in a day": {func(at time.Duration) State {
			if at%(4*time.Hour) < time.Hour {
				return paused(0)
			}
			return State{}
		}, []Phase{Began, Over, Began, Over}},
	} {
		if diff := cmp.Diff(c.want, looks(t, hours, c.stand)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// receiver is a webhook.
type receiver struct {
	mu       sync.Mutex
	answers  []int // the first ones; then 200
	payloads []payload
	asked    int
	got      chan struct{}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusOK
	if r.asked < len(r.answers) {
		status = r.answers[r.asked]
	}
	r.asked++
	if status == http.StatusOK {
		var p payload
		if json.NewDecoder(request.Body).Decode(&p) == nil {
			r.payloads = append(r.payloads, p)
		}
	}
	if status == http.StatusFound {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(status)
	select {
	case r.got <- struct{}{}:
	default:
	}
}

// notified runs a Notifier against a webhook, with one pause, until done says so.
func notified(t *testing.T, r *receiver, done func(*receiver, string) bool) (log string) {
	t.Helper()
	r.got = make(chan struct{}, 100)
	server := httptest.NewServer(r)
	defer server.Close()
	var lines lines
	n, err := New(Options{
		URL: server.URL + "/services/very-secret", Bridge: "events.example.com",
		Look:  func(context.Context) (State, error) { s := paused(0); s.At = start.Add(5 * time.Minute); return s, nil },
		Every: time.Millisecond, Again: time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(&lines, nil)),
		Now:    func() time.Time { return start.Add(5 * time.Minute) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { n.Run(ctx) })
	for began := time.Now(); ; {
		r.mu.Lock()
		is := done(r, lines.String())
		r.mu.Unlock()
		if is {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal("nothing came within a minute")
		}
		select {
		case <-r.got:
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	work.Wait()
	http.DefaultClient.CloseIdleConnections()
	n.client.CloseIdleConnections()
	if strings.Contains(lines.String(), "secret") {
		t.Errorf("the log shows the URL: %s", lines.String())
	}
	return lines.String()
}

// lines is a log for many writers.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// A message is sent until it is taken, once.
func TestRunSendsUntilItIsTaken(t *testing.T) {
	t.Parallel()
	r := &receiver{answers: []int{http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusServiceUnavailable}}
	notified(t, r, func(r *receiver, _ string) bool { return len(r.payloads) > 0 })
	want := []payload{{
		Text: "verobridge events.example.com, warning: vero takes nothing: " + cause +
			". Everything is kept, and it is probed until it answers. verobridge check says what is wrong with it.",
		Bridge: "events.example.com", Phase: Began, Kind: KindPaused, Severity: Warning, Destination: "vero", Reason: string(delivery.ReasonThrottled), Since: start,
	}}
	if diff := cmp.Diff(want, r.payloads); diff != "" || r.asked != 4 {
		t.Errorf("asked %d times (-want +got):\n%s", r.asked, diff)
	}
}

// A webhook that is gone, or leads elsewhere, is not asked again.
func TestRunGivesUpWhatIsRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusNotFound, http.StatusForbidden, http.StatusFound} {
		r := &receiver{answers: []int{status}}
		log := notified(t, r, func(_ *receiver, log string) bool { return strings.Contains(log, "dropped") })
		if r.asked != 1 || len(r.payloads) > 0 || !strings.Contains(log, "the webhook answers "+strconv.Itoa(status)) {
			t.Errorf("%d: asked %d times: %s", status, r.asked, log)
		}
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	var many State
	many.At = start
	for range 3 * maxQueue {
		many.Destinations = append(many.Destinations, delivery.Standing{
			Destination: string(rune('a' + len(many.Destinations))), PausedSince: start.Add(-time.Hour),
		})
	}
	n, err := New(Options{URL: "https://hooks.example.com/x", Look: func(context.Context) (State, error) { return many, nil }})
	if err != nil {
		t.Fatal(err)
	}
	n.look(t.Context())
	if len(n.queue) != maxQueue {
		t.Errorf("%d messages wait, want %d", len(n.queue), maxQueue)
	}
}

func TestCheckURLShowsNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "secret", "ftp://secret", "https://", "://secret"} {
		if err := CheckURL(text); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := CheckURL("https://hooks.slack.com/services/a/b"); err != nil {
		t.Error(err)
	}
}
