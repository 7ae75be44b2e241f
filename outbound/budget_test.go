package outbound

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/mockvero"
)

// drained delivers a batch as often as it takes, each time what had to wait for
// its turn, and returns how many events each delivery decided about.
func drained(t *testing.T, d delivery.Destination, batch []event.Event) (decided []int) {
	t.Helper()
	for len(batch) > 0 {
		outcomes := d.Deliver(t.Context(), batch)
		var waiting []event.Event
		for i, o := range outcomes {
			switch {
			case o.Status() == delivery.StatusDelivered:
			case o.Reason() == delivery.ReasonBehind && !o.Tried() && len(o.Calls()) == 0:
				waiting = append(waiting, batch[i])
			default:
				t.Fatalf("%s: %s", batch[i].ID, o.Detail())
			}
		}
		if len(waiting) == len(batch) {
			t.Fatal("nothing was decided")
		}
		decided = append(decided, len(batch)-len(waiting))
		batch = waiting
	}
	return decided
}

// TestBudgetEndsALongChain: the events of one person go one after the other,
// and are not all unsettled until the last of them is done.
func TestBudgetEndsALongChain(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, func(o *VeroOptions) { o.Budget, o.Concurrency = 200*time.Millisecond, 1 })
	mock.Fault(mockvero.Fault{Delay: 20 * time.Millisecond, Count: -1})
	const n = 40 // 800 ms
	var batch []event.Event
	var want []string
	for i := range n {
		batch = append(batch, track(t, fmt.Sprintf("m-%02d", i), "1", fmt.Sprintf("E%02d", i)))
		want = append(want, fmt.Sprintf("E%02d", i))
	}
	decided := drained(t, v, append(slices.Clone(batch), track(t, "other", "2", "A")))
	if len(decided) < 3 {
		t.Errorf("deliveries decided about %v events, none within its budget", decided)
	}
	var got []string
	for _, e := range mock.Effects().Users["1"].Events {
		got = append(got, e.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events of the person (-want +got):\n%s", diff)
	}
	if calls := len(mock.Calls()); calls != n+1 {
		t.Errorf("%d calls, want %d", calls, n+1)
	}
}

// TestOnePersonDoesNotKeepTheOthers: a delivery does not go on for the many
// events of one person when all others are done.
func TestOnePersonDoesNotKeepTheOthers(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, func(o *VeroOptions) { o.Budget = 10 * time.Second })
	mock.Fault(mockvero.Fault{Delay: 20 * time.Millisecond, Count: -1})
	const n = 50 // 1 s
	batch, _ := people(t, 10)
	for i := range n {
		batch = append(batch, track(t, fmt.Sprintf("hot-%02d", i), "hot", fmt.Sprintf("E%02d", i)))
	}
	decided := drained(t, v, batch)
	if decided[0] < 10 || decided[0] > 10+n/2 {
		t.Errorf("the first delivery decided about %d events, want everybody's first ones and few of the person's who has many", decided[0])
	}
	if len(decided) > n/2 {
		t.Errorf("%d deliveries for %d events", len(decided), len(batch))
	}
	for i, e := range mock.Effects().Users["hot"].Events {
		if want := fmt.Sprintf("E%02d", i); e.Name != want {
			t.Fatalf("event %d is %s", i, e.Name)
		}
	}
}

// TestBudgetDoesNotStopWhatIsSlow: a single event that takes longer than the
// budget is done all the same.
func TestBudgetDoesNotStopWhatIsSlow(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, func(o *VeroOptions) { o.Budget = time.Millisecond })
	mock.Fault(mockvero.Fault{Delay: 50 * time.Millisecond, Count: -1})
	tagged := accept(t, `{"type":"identify","messageId":"m-1","userId":"1","traits":{"a":1},"integrations":{"Vero":{"tags":{"add":["x"]}}}}`)
	outcomes := v.Deliver(t.Context(), []event.Event{tagged, track(t, "m-2", "1", "A")})
	want := []string{"delivered delivered", "waiting behind_earlier_event"}
	if diff := cmp.Diff(want, verdicts(outcomes)); diff != "" || len(outcomes[0].Calls()) != 2 {
		t.Errorf("%d calls for the first; outcomes (-want +got):\n%s", len(outcomes[0].Calls()), diff)
	}
}

func TestBudgetEndsARelay(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, func(string) int {
		<-time.After(5 * time.Millisecond)
		return http.StatusOK
	})
	s := newSegment(t, e.URL)
	s.budget = time.Millisecond // no request ends within it
	batch, ids := people(t, 3*maxBatchEvents)
	if diff := cmp.Diff([]int{maxBatchEvents, maxBatchEvents, maxBatchEvents}, drained(t, s, batch)); diff != "" {
		t.Errorf("decided by each delivery (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ids, e.accepted); diff != "" {
		t.Errorf("accepted (-want +got):\n%s", diff)
	}
}

// TestBudgetLetsHalvingEnd: a batch that is refused gets on, however little
// time there is.
func TestBudgetLetsHalvingEnd(t *testing.T) {
	t.Parallel()
	judge := refuse(http.StatusBadRequest, `"m-000"`)
	e := newEndpoint(t, func(body string) int {
		<-time.After(2 * time.Millisecond)
		return judge(body)
	})
	s := newSegment(t, e.URL)
	s.budget = time.Millisecond
	batch, _ := people(t, 8)
	for len(batch) > 0 {
		var waiting []event.Event
		for i, o := range s.Deliver(t.Context(), batch) {
			if o.Reason() == delivery.ReasonBehind {
				waiting = append(waiting, batch[i])
			}
		}
		if len(waiting) == len(batch) {
			t.Fatal("nothing was decided")
		}
		batch = waiting
	}
	if len(e.accepted) != 7 {
		t.Errorf("%d events were accepted, want all but one", len(e.accepted))
	}
}
