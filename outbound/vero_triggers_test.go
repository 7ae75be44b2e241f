package outbound

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

func TestTriggersArePerPersonAndHour(t *testing.T) {
	t.Parallel()
	counter := newTriggers(2)
	for _, step := range []struct {
		person, message string
		after           time.Duration
		want            delivery.Reason
	}{
		{"a", "m1", 0, ""},
		{"a", "m2", 30 * time.Minute, ""},
		{"a", "m3", 40 * time.Minute, delivery.ReasonBrowserTriggers},
		{"b", "m1", 40 * time.Minute, ""},                             // another person with the same messageId
		{"a", "m1", 41 * time.Minute, ""},                             // a retry is let through
		{"a", "m4", 59 * time.Minute, delivery.ReasonBrowserTriggers}, // and has made no room
		{"a", "m4", 60 * time.Minute, ""},                             // m1 is an hour old
		{"a", "m5", 61 * time.Minute, delivery.ReasonBrowserTriggers},
		{"a", "m5", 0, delivery.ReasonBrowserTriggers}, // an older event does not turn time back
		{"a", "m6", 90 * time.Minute, ""},
		{"c", "m1", 9 * time.Hour, ""},
	} {
		if got := counter.take(step.person, step.message, received.Add(step.after)); got != step.want {
			t.Errorf("%s of %s after %s: %q, want %q", step.message, step.person, step.after, got, step.want)
		}
	}
	if len(counter.queue) != 1 || len(counter.count) != 1 || len(counter.seen) != 1 {
		t.Errorf("after hours %d, %d and %d are kept, want the last one", len(counter.queue), len(counter.count), len(counter.seen))
	}
}

// A flood of made-up people fills the memory and no more, and does not wash
// away the count of a real one.
func TestTriggersInBoundedMemory(t *testing.T) {
	counter := newTriggers(1)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	if got := counter.take("real", "m", received); got != "" {
		t.Fatal(got)
	}
	for i := range 2 * maxTriggers {
		counter.take(strconv.Itoa(i), "m", received.Add(time.Duration(i)*time.Microsecond))
	}
	if used := (int64(heap()) - int64(before)) >> 20; used > 40 {
		t.Errorf("%d MiB are in use", used)
	}
	if got := counter.take("real", "m2", received.Add(time.Minute)); got != delivery.ReasonBrowserTriggers {
		t.Errorf("after the flood the person's second trigger is judged %q", got)
	}
	if got := counter.take("new", "m", received.Add(time.Minute)); got != delivery.ReasonBrowserFlood {
		t.Errorf("in the flood a new person's trigger is judged %q", got)
	}
	if got := counter.take("new", "m", received.Add(2*time.Hour)); got != "" {
		t.Errorf("after the flood a new person's trigger is judged %q", got)
	}
	runtime.KeepAlive(counter)
}

func TestTriggersInParallel(t *testing.T) {
	t.Parallel()
	const limit = 20
	counter := newTriggers(limit)
	var allowed atomic.Int32
	var senders sync.WaitGroup
	for sender := range 8 {
		senders.Go(func() {
			for i := range 100 {
				if counter.take("a", fmt.Sprint(sender, i), received) == "" {
					allowed.Add(1)
				}
			}
		})
	}
	senders.Wait()
	if got := allowed.Load(); got != limit {
		t.Errorf("%d triggers are let through, want %d", got, limit)
	}
}
