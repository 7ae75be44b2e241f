package spool

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
)

// A record of the lane that gets lost while the program runs costs nothing while
// the events are where they came from; after that they are dead, and said so.
func TestADamagedRecordOfTheLane(t *testing.T) {
	for name, trimmed := range map[string]bool{"its events are kept": false, "its events are gone": true} {
		t.Run(name, func(t *testing.T) {
			clock := &flight{now: time.Now(), holds: true}
			s := openFlying(t, t.TempDir(), clock)
			r := reportsOf(t, s)
			attempts := &failures{left: map[string]int{"ann-000": 1, "bob-000": 1}}
			d := newDestination("vero", attempts.verdict)
			drainTo(t, s, d, DrainOptions{})
			appendAll(t, s, call("ann", 0), call("bob", 0))
			for _, id := range []string{"ann-000", "bob-000"} {
				r.await(t, id, delivery.StatusWaiting)
			}
			// Their report comes before they are in the lane; another event's after it.
			appendAll(t, s, call("carl", 0))
			r.await(t, "carl-000", delivery.StatusDelivered)
			damaged := []string{retryStream}
			if trimmed {
				damaged = append(damaged, eventsStream)
			}
			for _, stream := range damaged {
				st, err := s.js.Stream(t.Context(), stream)
				if err != nil {
					t.Fatal(err)
				}
				if err := st.Purge(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			clock.pass(time.Minute)
			want := delivery.StatusDelivered
			if trimmed {
				want = delivery.StatusDead
			}
			for _, id := range []string{"ann-000", "bob-000"} {
				if report := r.await(t, id, want); trimmed && report.Reason != delivery.ReasonUnreadable {
					t.Errorf("report %+v, want that it cannot be read", report)
				}
			}
		})
	}
}

// The same event twice in one batch waits once.
func TestTheSameEventWaitsOnce(t *testing.T) {
	s := open(t, t.TempDir(), "vero")
	r := reportsOf(t, s)
	f := &failures{left: map[string]int{"ann-000": 1}}
	d := newDestination("vero", f.verdict)
	appendAll(t, s, call("ann", 0), call("ann", 0), call("ann", 1))
	drainTo(t, s, d, DrainOptions{})
	r.await(t, "ann-001", delivery.StatusDelivered)
	if diff := cmp.Diff([]string{"ann-000", "ann-001"}, d.ids()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
