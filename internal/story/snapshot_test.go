package story

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// However many look, a question is asked once at a time; whoever looks sees the
// last answer, and after a rest a new one.
func TestSnapshots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		s := &snapshots[int]{now: time.Now, closing: t.Context(), ask: func(context.Context) (int, error) {
			time.Sleep(time.Second) // it takes long, by the test's clock
			asked++
			return asked, nil
		}}
		look := func(value int, pending bool) {
			t.Helper()
			got, err := s.get(t.Context())
			if err != nil || got.Value != value || got.Pending != pending || got.At.IsZero() != (value == 0) {
				t.Errorf("got %+v, %v; want %d, pending %t", got, err, value, pending)
			}
		}
		look(0, true)
		look(0, true)
		time.Sleep(time.Second)
		look(1, false)
		time.Sleep(8 * time.Second)
		look(1, false)
		time.Sleep(time.Second)
		look(1, true) // the old one at once, while a new one is on its way
		time.Sleep(time.Second + time.Millisecond)
		look(2, false)
	})
}

// An answer that comes at once is always that of today, and an error is told.
func TestSnapshotsOfLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked, away := 0, errors.New("away")
		s := &snapshots[int]{now: time.Now, closing: t.Context(), ask: func(context.Context) (int, error) {
			if asked++; asked == 2 {
				return 0, away
			}
			return asked, nil
		}}
		for n, want := range []error{nil, away, nil} {
			got, err := s.get(t.Context())
			if !errors.Is(err, want) || got.Pending || want == nil && got.Value != n+1 {
				t.Errorf("look %d: %+v, %v", n, got, err)
			}
		}
	})
}
