package spool

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// A destination is down for longer than the retry horizon, while events come in
// every hour and the program is restarted every other day. Then everything
// arrives, in order and once, and nothing has become a dead letter: not even what
// had failed by itself before, and does so once more afterwards.
func TestAWeekOfOutage(t *testing.T) {
	t.Parallel()
	const days, people, each = 8, 6, 8 * 24
	clock := &flight{now: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)}
	start := clock.time()
	end := start.Add(days * 24 * time.Hour)
	failing := &failures{left: map[string]int{"user00-000": 1 << 20}}
	var mu sync.Mutex
	hour, probes := 0, 0 // of events that came in
	var s *Spool

	// What happens in the world happens when the destination is asked.
	verdict := func(e event.Event) delivery.Outcome {
		mu.Lock()
		defer mu.Unlock()
		probes++
		for now := clock.time(); hour < each-1 && now.After(start.Add(time.Duration(hour+1)*time.Hour)); {
			hour++
			var events []event.Event
			for p := range people {
				e := call(fmt.Sprintf("user%02d", p), hour)
				e.Body = fmt.Appendf(nil, `{"userId":"user%02d","p":%s}`, p, incompressible(hour*people+p, 700).Get("p").Raw)
				events = append(events, e)
			}
			if err := s.Append(t.Context(), events...); err != nil {
				t.Error(err)
			}
		}
		if err := s.lookAhead(t.Context()); err != nil {
			t.Error(err)
		}
		if hour > 0 && clock.time().Before(end) {
			return delivery.Unavailable(delivery.ReasonUnreachable, errors.New("connection refused"), 0)
		}
		if !clock.time().Before(end) {
			failing.left["user00-000"] = min(failing.left["user00-000"], 1)
		}
		return failing.verdict(e)
	}

	dir := t.TempDir()
	var delivered []string
	var forecasts []time.Duration
	var all []event.Event
	for p := range people {
		all = append(all, call(fmt.Sprintf("user%02d", p), 0))
	}
	for round := 0; ; round++ {
		s = openFlying(t, dir, clock)
		s.o.Probe.Max = 30 * time.Minute // fewer probes show as much
		s.o.Retry.Max = time.Minute
		if round == 0 {
			appendAll(t, s, all...)
		}
		d := newDestination("vero", verdict)
		stop := drainTo(t, s, d, DrainOptions{MaxEvents: 100})
		leave := start.Add(time.Duration(2*round+2) * 24 * time.Hour)
		for clock.time().Before(leave) && len(delivered)+len(d.ids()) < people*each {
			<-d.changed
		}
		if left, behind, soon := s.FullIn(); soon {
			forecasts = append(forecasts, left)
			t.Logf("after %s the spool is full in %s, because of %s", clock.time().Sub(start).Round(time.Hour), left.Round(time.Hour), behind)
		}
		if !clock.time().Before(end) {
			d.await(t, people*each-len(delivered))
		}
		stop()
		delivered = append(delivered, d.ids()...)
		if letters := deadLetters(t, s, "vero"); len(letters) > 0 {
			t.Fatalf("%d dead letters, such as %+v", len(letters), letters[0].Report)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if len(delivered) == people*each {
			break
		}
	}
	t.Logf("%d probes in %s", probes, clock.time().Sub(start))
	if len(forecasts) < 2 || forecasts[0] < 2*24*time.Hour || !slices.IsSortedFunc(forecasts, func(a, b time.Duration) int { return cmp.Compare(b, a) }) {
		t.Errorf("forecasts %v, want the spool to be full some days later, and sooner each time", forecasts)
	}
	r := reportsOf(t, open(t, dir, "vero"))
	if report := r.await(t, "user00-000", delivery.StatusDelivered); report.Attempts < 2 {
		t.Errorf("report %+v, want that it failed before", report)
	}
	for p := range people {
		user := fmt.Sprintf("user%02d", p)
		if diff := gocmp.Diff(ids(calls(user, each)), of(user, delivered)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", user, diff)
		}
	}
	if slices.Sort(delivered); len(slices.Compact(delivered)) != people*each {
		t.Errorf("%d deliveries of %d events", len(delivered), people*each)
	}
}
