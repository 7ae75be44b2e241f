package outbound

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/mockvero"
)

// begun counts the calls that begin within a time when there is always one to
// make.
func begun(t *testing.T, p *pace, within time.Duration) (calls int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for p.wait(ctx, 1) == nil {
		calls++
	}
	<-ctx.Done()
	return calls
}

func TestPaceKeepsTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPace(100)
		if got := begun(t, p, 10*time.Second); got < 1000 || got > 1010 {
			t.Errorf("%d calls in 10 s at 100 a second", got)
		}
		// A pause is not made up for.
		time.Sleep(time.Hour)
		if got := begun(t, p, time.Second); got < 100 || got > 111 {
			t.Errorf("%d calls in the second after a pause at 100 a second", got)
		}
		// The calls of one event are paid for together.
		if err := p.wait(t.Context(), 50); err != nil {
			t.Fatal(err)
		}
		if got := begun(t, p, time.Second); got > 61 {
			t.Errorf("%d calls in the second after an event of 50 calls", got)
		}
	})
}

func TestPaceDoesNotWaitInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if err := p.wait(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if err := p.wait(ctx, 1); err == nil {
			t.Error("a call begins before its turn")
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %s to see that there is no time", took)
		}
	})
}

// Whoever gives up waiting owes nothing.
func TestPaceForgetsThoseWhoGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1)
		if err := p.wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			ctx, giveUp := context.WithCancel(t.Context())
			var waiters sync.WaitGroup
			for range 64 {
				waiters.Go(func() { _ = p.wait(ctx, 1) })
			}
			synctest.Wait()
			giveUp()
			waiters.Wait()
		}
		start := time.Now()
		if err := p.wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("the next turn comes after %s at one a second", took)
		}
	})
}

func TestPaceIsFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPace(10)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var mu sync.Mutex
		calls := make(map[string]int)
		var people sync.WaitGroup
		for _, person := range []string{"ann", "bob", "cat", "dan"} {
			people.Go(func() {
				for p.wait(ctx, 1) == nil {
					mu.Lock()
					calls[person]++
					mu.Unlock()
				}
			})
		}
		people.Wait()
		for person, n := range calls {
			if n < 24 || n > 26 {
				t.Errorf("%s had %d of about 100 turns, want a quarter", person, n)
			}
		}
	})
}

func TestPaceAdapts(t *testing.T) {
	t.Parallel()
	for name, setting := range map[string]float64{"with a setting": 200, "without": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPace(setting)
				// 80 calls a second are made, less than the setting allows.
				call := func(seconds int) {
					for range seconds * 80 {
						if err := p.wait(t.Context(), 1); err != nil {
							t.Fatal(err)
						}
						p.fine()
						time.Sleep(time.Second / 80)
					}
				}
				call(5)
				if got := p.current(); got != p.full {
					t.Errorf("limit %g before the first refusal", got)
				}
				began := time.Now()
				time.Sleep(time.Millisecond)
				for range 64 { // all that were under way
					p.tooMany(began)
				}
				if got := p.current(); got < 38 || got > 40 {
					t.Errorf("limit %g after a refusal at 80 a second, want half", got)
				}
				if got := begun(t, p, time.Second); got > 45 {
					t.Errorf("%d calls in the second after that", got)
				}
				time.Sleep(time.Hour) // without calls nothing is learnt
				if got := p.current(); got > 40 {
					t.Errorf("limit %g after an hour without calls", got)
				}
				call(30)
				if got := p.current(); got < 80 {
					t.Errorf("limit %g after 30 s of success", got)
				}
				call(300)
				if got := p.current(); got != p.full {
					t.Errorf("limit %g after minutes of success, want %g", got, p.full)
				}
				for range 20 {
					time.Sleep(time.Second)
					p.tooMany(time.Now())
				}
				if got := p.current(); got != leastRate {
					t.Errorf("limit %g after many refusals, want %d", got, leastRate)
				}
			})
		})
	}
}

func TestRateSettings(t *testing.T) {
	t.Parallel()
	for _, bad := range []float64{-1, 0.5, math.NaN()} {
		if _, err := NewVero(VeroOptions{Name: "vero", AuthToken: secret, Rate: bad}); err == nil || !strings.Contains(err.Error(), "rate must be at least 1") {
			t.Errorf("rate %g: %v", bad, err)
		}
		if _, err := NewSegment(SegmentOptions{Name: "posthog", URL: "https://x", WriteKey: "k", Rate: bad}); err == nil || !strings.Contains(err.Error(), "rate must be at least 1") {
			t.Errorf("rate %g: %v", bad, err)
		}
	}
}

// What does not fit into a delivery at the rate waits for the next one, at once.
func TestRateWithinTheBudget(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, func(o *VeroOptions) { o.Rate, o.Concurrency, o.Budget = 20, 4, 500*time.Millisecond })
	batch, _ := people(t, 50)
	batch = slices.Insert(batch, 1, accept(t, `{"type":"track","messageId":"skipped","anonymousId":"x","event":"A"}`)) // takes no turn
	started := time.Now()
	got := make(map[string]int)
	for _, o := range v.Deliver(t.Context(), batch) {
		got[verdict(o)]++
	}
	if n := got["delivered delivered"]; n < 5 || n > 13 || got["waiting behind_earlier_event"] != 50-n || got["skipped no_identity"] != 1 {
		t.Errorf("outcomes %v", got)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("the delivery took %s", took)
	}
	if got := len(mock.Calls()); got > 13 {
		t.Errorf("%d calls", got)
	}
}

// A demand for fewer calls ends the delivery and halves the rate once. What was
// not tried is tried in order afterwards, once.
func TestThrottledDelivery(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]mockvero.Fault{
		"429":                  {Status: http.StatusTooManyRequests, Count: -1},
		"503 with Retry-After": {Status: http.StatusServiceUnavailable, RetryAfter: "1", Count: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const parallel, events = 8, 40
			mock, v := setup(t, func(o *VeroOptions) { o.Rate, o.Concurrency = 1000, parallel })
			want := make(map[string][]string)
			var batch []event.Event
			for n := range events {
				person, name := fmt.Sprintf("user-%d", n%parallel), fmt.Sprintf("E%d", n)
				batch = append(batch, track(t, name, person, name))
				want[person] = append(want[person], name)
			}

			mock.Fault(fault)
			for i, o := range v.Deliver(t.Context(), batch) {
				if verdict(o) != "unavailable throttled" {
					t.Errorf("event %d: %s", i, o.Detail())
				}
			}
			refused := len(mock.Calls())
			if refused > parallel {
				t.Errorf("%d calls, want no more than were under way at the first refusal", refused)
			}
			// Of no more than 8 calls in a tenth of a second.
			if got := v.client.pace.current(); got < 2 || got > 40 {
				t.Errorf("limit %g", got)
			}

			mock.ClearFaults()
			v.client.pace.set(1000, time.Now())
			drained(t, v, batch)
			got := make(map[string][]string)
			for person, u := range mock.Effects().Users {
				for _, e := range u.Events {
					got[person] = append(got[person], e.Name)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("events at Vero (-want +got):\n%s", diff)
			}
			if n := len(mock.Calls()); n != events+refused {
				t.Errorf("%d calls, want one for each event after %d that were refused", n, refused)
			}
		})
	}
}
