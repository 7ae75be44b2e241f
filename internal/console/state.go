package console

import (
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// State is how the bridge stands at one moment. What is counted is counted since
// its start.
type State struct {
	At           time.Time
	Sources      []SourceState
	Destinations []DestinationState
	// Unknown counts the calls that were refused for their write key.
	Unknown int
	// Refused says why no event is accepted, nil while they are.
	Refused error
	// SpoolBytes are on disk, of at most SpoolLimit.
	SpoolBytes, SpoolLimit int64
	// FullIn is in what time the spool is full at the present rate, zero if that is
	// not within a week. Behind is the destination that everything waits for.
	FullIn time.Duration
	Behind string
	// Discards counts the values that did not fit their columns.
	Discards int
	// Answered is how long calls take to be answered, Fresh how long events take to
	// be in the warehouse.
	Answered, Fresh Histogram
}

// SourceState is what came in from a source.
type SourceState struct {
	Name string
	// Vero says that it is what Vero reports of emails.
	Vero               bool
	Accepted, Rejected int
}

// DestinationState is what became of events at a destination.
type DestinationState struct {
	delivery.Standing
	Delivered, Skipped, Dead int
}

// Histogram counts what took at most as many seconds as each bound says.
type Histogram struct {
	Bounds []float64
	Counts []uint64
}

// since returns what was added to an older histogram of the same thing.
func (h Histogram) since(old Histogram) Histogram {
	if len(old.Counts) != len(h.Counts) {
		return h
	}
	fresh := Histogram{h.Bounds, make([]uint64, len(h.Counts))}
	for i, n := range h.Counts {
		fresh.Counts[i] = n - min(n, old.Counts[i])
	}
	return fresh
}

// quantile returns in what time a share of all was done, as far as the bounds
// tell. It is false where there is nothing.
func (h Histogram) quantile(share float64) (time.Duration, bool) {
	if len(h.Counts) == 0 || h.Counts[len(h.Counts)-1] == 0 {
		return 0, false
	}
	want := share * float64(h.Counts[len(h.Counts)-1])
	lower, below := 0.0, 0.0
	for i, n := range h.Counts {
		if float64(n) >= want && n > 0 {
			inside := (want - below) / (float64(n) - below)
			return time.Duration((lower + inside*(h.Bounds[i]-lower)) * float64(time.Second)), true
		}
		lower, below = h.Bounds[i], float64(n)
	}
	return time.Duration(lower * float64(time.Second)), true
}
