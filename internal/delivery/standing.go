package delivery

import "time"

// Standing is how a destination as a whole stands. It stands in for the reports
// that there are none of yet: what waits because its destination is paused or
// slow has had no turn, and a report for each event of a backlog of millions
// would say the same millions of times.
type Standing struct {
	Destination string
	// PausedSince is since when the destination takes nothing and is probed, zero
	// while it is not. Reason and Detail say why.
	PausedSince time.Time
	Reason      Reason
	Detail      string
	// BehindSince is when the oldest event was received that has had no turn, zero
	// if there is none.
	BehindSince time.Time
	// CompleteUntil promises that every event for this destination that was
	// received before has a report, and that it is written. Zero while nothing can
	// be promised; it never goes back.
	CompleteUntil time.Time
	// Backlog are the records, of one or more events each, that have had no turn.
	Backlog uint64
	// Retrying are the events that wait for another attempt.
	Retrying int
	// Buried are the events that became dead letters since the program started.
	Buried int
	// Elsewhere says that another bridge delivers there, which knows all this.
	Elsewhere bool
}
