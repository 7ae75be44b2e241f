package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/event"
)

// incompressible is an event of about the given size.
func incompressible(n, size int) event.Event {
	padding := make([]byte, size)
	random := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range padding {
		padding[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[random.IntN(64)]
	}
	e := call("ann", n)
	e.Body = fmt.Appendf(nil, `{"userId":"ann","messageId":%q,"p":%q}`, e.ID, padding)
	return e
}

func TestAFullSpoolRefusesUntilEventsAreSettled(t *testing.T) {
	s, err := Open(t.Context(), Options{
		Dir:          t.TempDir(),
		Destinations: []string{"vero"},
		MaxBytes:     1 << 20,
		Logger:       slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })

	accepted := 0
	for ; accepted < 100; accepted++ {
		if err = s.Append(t.Context(), incompressible(accepted, 50_000)); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("after %d events of 50 kB in 1 MiB: %v, want ErrFull", accepted, err)
	}
	// A limit that is reached is no failure of the server: to open the spool anew,
	// as when it is stuck, would help nobody.
	s.failuresMu.Lock()
	if len(s.failures) > 0 {
		t.Errorf("a full spool counts as a failure to write: %v", s.failures)
	}
	s.failuresMu.Unlock()

	d := newDestination("vero", deliverAll)
	stop := drainTo(t, s, d, DrainOptions{})
	got := d.await(t, accepted)
	stop()
	for i, id := range got {
		if want := call("ann", i).ID; id != want {
			t.Fatalf("event %d is %s, want %s", i, id, want)
		}
	}
	if err := s.Append(t.Context(), incompressible(accepted, 50_000)); err != nil {
		t.Errorf("after everything is settled: %v, want room", err)
	}
}

func TestTrimKeepsWhatIsUnsettledOrYoung(t *testing.T) {
	s := open(t, t.TempDir(), "fast", "slow")
	for n := range 10 {
		appendAll(t, s, call("ann", n))
	}
	d := newDestination("fast", deliverAll)
	stopFast := drainTo(t, s, d, DrainOptions{})
	d.await(t, 10)
	stopFast()

	count := func() uint64 {
		t.Helper()
		stream, err := s.js.Stream(t.Context(), eventsStream)
		if err != nil {
			t.Fatal(err)
		}
		return stream.CachedInfo().State.Msgs
	}
	if err := s.trim(t.Context(), s.settledOnly); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 10 {
		t.Errorf("%d records left while one destination has settled none, want 10", got)
	}

	slow := newDestination("slow", deliverAll)
	stopSlow := drainTo(t, s, slow, DrainOptions{})
	slow.await(t, 10)
	stopSlow()
	if err := s.trim(t.Context(), s.settledAndOld); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 10 {
		t.Errorf("%d records left inside the replay window, want 10", got)
	}
	s.o.ReplayWindow = time.Nanosecond
	if err := s.trim(t.Context(), s.settledAndOld); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 0 {
		t.Errorf("%d records left after the replay window, want 0", got)
	}
}
