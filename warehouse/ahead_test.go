package warehouse

import (
	"fmt"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// TestBatchOfSeveralChunks has events that are skipped and dead in each chunk,
// and the same id in the first and the last.
func TestBatchOfSeveralChunks(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	batch := make([]event.Event, 2*firstChunk+1)
	for i := range batch {
		batch[i] = track(t, fmt.Sprint("m", i), "X", fmt.Sprintf(`{"n":%d}`, i))
	}
	for from := 0; from < len(batch); from += firstChunk {
		batch[from] = track(t, "same", "X", `{"n":-1}`)
	}
	for _, i := range []int{7, firstChunk + 7} {
		batch[i].Body = []byte(`{`)
		batch[i+1] = eventOf(t, "app", arrival, `{"type":"track","event":"X","userId":"u","integrations":{"Warehouses":false}}`)
	}
	counts := map[delivery.Status]int{}
	for _, o := range f.Deliver(t.Context(), batch) {
		counts[o.Status()]++
	}
	if counts[delivery.StatusDead] != 2 || counts[delivery.StatusSkipped] != 2 || counts[delivery.StatusDelivered] != len(batch)-4 {
		t.Errorf("outcomes are %v", counts)
	}
	f.want("select count(*)::int as n, count(distinct n)::int as different from app.x",
		fmt.Sprintf(`{"n":%d,"different":%[1]d}`, len(batch)-4-2))
}

// TestUnavailableEndsTheBatch: the chunks after the one that found the database
// out are not tried.
func TestUnavailableEndsTheBatch(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "m", "X", "{}"))
	release := f.holding("lock table verobridge.loads in access exclusive mode")
	defer release()
	f.loadTimeout = 200 * time.Millisecond
	batch := make([]event.Event, 3*firstChunk)
	for i := range batch {
		batch[i] = track(t, fmt.Sprint("m", i), "X", "{}")
	}
	f.wantOutcomes(unavailable(delivery.ReasonUnreachable), batch...)
}

// TestPanicReachesTheCaller, who knows what to do about it.
func TestPanicReachesTheCaller(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	l := open(t, Options{}).Loader
	for range l.mapAhead(make([]event.Event, 1), nil) { // an outcome too few
		t.Error("mapped")
	}
}
