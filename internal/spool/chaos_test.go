package spool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// Whatever a destination answers, and however often the program is restarted
// in between, each event is settled once, and each person's events in order.
func TestChaosLosesNothingAndKeepsOrder(t *testing.T) {
	t.Parallel()
	const (
		people, each = 20, 30
		restarts     = 5
	)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var mu sync.Mutex
	verdict := func(event.Event) delivery.Outcome {
		mu.Lock()
		defer mu.Unlock()
		switch random.IntN(10) {
		case 0:
			return delivery.Unavailable(delivery.ReasonUnreachable, errors.New("connection refused"), 0)
		case 1, 2:
			return delivery.Retry(delivery.ReasonServerError, errors.New("500"), 0)
		default:
			return delivery.Delivered()
		}
	}

	dir := t.TempDir()
	var delivered []string
	total := 0
	for round := range restarts {
		s := open(t, dir, "vero")
		d := newDestination("vero", verdict)
		stop := drainTo(t, s, d, DrainOptions{MaxEvents: 7})
		var clients sync.WaitGroup
		for p := range people {
			clients.Go(func() {
				for n := range each / restarts {
					if err := s.Append(t.Context(), call(fmt.Sprintf("user%02d", p), round*each/restarts+n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		clients.Wait()
		total += people * each / restarts
		if round == restarts-1 {
			d.await(t, total-len(delivered))
		}
		stop()
		delivered = append(delivered, d.ids()...)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}

	for p := range people {
		user := fmt.Sprintf("user%02d", p)
		if diff := cmp.Diff(ids(calls(user, each)), of(user, delivered)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", user, diff)
		}
	}
	if slices.Sort(delivered); len(slices.Compact(delivered)) != people*each {
		t.Errorf("%d events settled, want %d", len(delivered), people*each)
	}
}
