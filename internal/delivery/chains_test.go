package delivery_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

func of(kind event.Type, ids string) event.Event {
	return event.Event{Type: kind, Body: []byte(ids)}
}

func TestChains(t *testing.T) {
	t.Parallel()
	batch := []event.Event{
		of(event.Track, `{"anonymousId":"a1"}`),
		of(event.Track, `{"userId":"bob"}`),
		of(event.Identify, `{"userId":"ann","anonymousId":"a1"}`),
		of(event.Track, `{"userId":"ann"}`),
		of(event.Track, `{}`),
		of(event.Alias, `{"userId":"robert","previousId":"bob"}`),
		of(event.Track, `{"userId":"robert"}`),
		of(event.Track, `{"userId":"a1"}`), // a user id, not the anonymous one
	}
	want := [][]int{{0, 2, 3}, {1, 5, 6}, {4}, {7}}
	if diff := cmp.Diff(want, delivery.Chains(batch)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Each event is in one chain, each chain is in order, and two events that share
// a person are in the same one.
func TestChainsKeepPeopleTogether(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.IntRange(0, 8)
		batch := make([]event.Event, rapid.IntRange(0, 30).Draw(t, "events"))
		for i := range batch {
			kind := rapid.SampledFrom([]event.Type{event.Track, event.Identify, event.Alias}).Draw(t, "type")
			batch[i] = of(kind, fmt.Sprintf(`{"userId":"u%d","anonymousId":"a%d","previousId":"u%d"}`,
				id.Draw(t, "user"), id.Draw(t, "anonymous"), id.Draw(t, "previous")))
		}
		chainOf := make(map[int]int)
		for c, chain := range delivery.Chains(batch) {
			for n, i := range chain {
				if n > 0 && chain[n-1] >= i {
					t.Fatalf("chain %v is out of order", chain)
				}
				if _, twice := chainOf[i]; twice {
					t.Fatalf("event %d is in two chains", i)
				}
				chainOf[i] = c
			}
		}
		if len(chainOf) != len(batch) {
			t.Fatalf("%d of %d events are in chains", len(chainOf), len(batch))
		}
		first := make(map[string]int)
		for i, e := range batch {
			for _, person := range e.People() {
				if j, seen := first[person]; seen && chainOf[i] != chainOf[j] {
					t.Fatalf("events %d and %d share %s and are in different chains", j, i, person)
				}
				first[person] = i
			}
		}
	})
}
