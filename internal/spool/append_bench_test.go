package spool

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"

	"github.com/verobridge/verobridge/internal/event"
)

// BenchmarkAppend measures durable appends from many clients at once: each
// waits for the sync of its own record. One iteration is one Append.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 100} {
		for _, clients := range []int{2, 16, 256} {
			b.Run(fmt.Sprintf("events=%d/clients=%d", size, clients), func(b *testing.B) {
				s, err := Open(b.Context(), Options{Dir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = s.Close() }()
				batch := usualCalls(size)
				b.SetParallelism(max(1, clients/runtime.GOMAXPROCS(0)))
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := s.Append(b.Context(), batch...); err != nil {
							b.Error(err)
						}
					}
				})
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// BenchmarkFrame measures how the events of a batch become the bytes of a record,
// before they are compressed.
func BenchmarkFrame(b *testing.B) {
	batch := usualCalls(100)
	b.ReportAllocs()
	for b.Loop() {
		frameAll(batch)
	}
}

// usualCalls are events of about 1 KB.
func usualCalls(n int) []event.Event {
	batch := calls("ann", n)
	for i := range batch {
		batch[i].Body = fmt.Appendf(nil, `{"userId":"ann","p":"%01000d"}`, i)
	}
	return batch
}
