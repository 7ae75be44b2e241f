package spool

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/event"
)

func TestRecordsKeepEventsExactly(t *testing.T) {
	events := append(calls("ann", 3), event.Event{ID: "", Source: "ünïcode", Type: event.Alias, ReceivedAt: call("a", 1).ReceivedAt, Body: []byte(`{}`)})
	var frames []byte
	for _, e := range events {
		frames = frame(frames, e)
	}
	got, err := Unseal(seal(frames))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(events, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzUnseal states that no record, however damaged, makes the reader panic,
// and that what it reads writes the same events again.
func FuzzUnseal(f *testing.F) {
	f.Add(seal(frame(frame(nil, call("ann", 1)), call("bob", 2))))
	f.Add([]byte{recordVersion})
	f.Add([]byte{2, 0, 0})
	f.Fuzz(func(t *testing.T, record []byte) {
		events, err := Unseal(record)
		if err != nil {
			return
		}
		var frames []byte
		for _, e := range events {
			frames = frame(frames, e)
		}
		again, err := Unseal(seal(frames))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(events, again); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	events := calls("ann", 100)
	var frames []byte
	b.ReportAllocs()
	for b.Loop() {
		frames = frames[:0]
		for _, e := range events {
			frames = frame(frames, e)
		}
		seal(frames)
	}
}
