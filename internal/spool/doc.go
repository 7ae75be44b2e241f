// Package spool is where events wait: NATS JetStream, embedded in the program
// or an external cluster.
//
//	            Append                     Drain, one per destination
//	requests ──┬─▶ events ──cursor──▶ Deliver ──outcomes──▶ settle
//	           │   (stream)              ▲                    ├─ ack: the cursor moves
//	           │                         └──── retry ◀────────┤  Retry
//	           └─ joined: one record,         (stream)        ├─ dead (stream)  Dead
//	              one fsync, many events                      └─ reports (stream) ──▶ DrainReports
//
// # Append
//
// The server syncs every record before it acknowledges it (SyncAlways; its
// default of two minutes loses acknowledged writes on power loss). A sync costs
// the same for one event as for a hundred, so concurrent Appends are joined
// into one record: whatever has come in while the last record was being synced
// makes up the next one. There is no timer. A single Append stays together.
//
// # Cursors
//
// Each destination has a durable consumer with a cumulative acknowledgement:
// its floor is the destination's cursor. A drain starts by resetting the
// consumer to that floor, so that after a crash the unsettled records come
// again, first and in order. Waiting for the server's redelivery timer instead
// would let newer records overtake them.
//
// # What must wait
//
// A record is settled as a whole, so an event in it that must be tried again
// moves to the destination's retry lane, and the record is acknowledged. While
// a person has events in the lane, later events of that person queue behind
// them there; everybody else goes on.
//
// # Failure handling
//
//	a record cannot be written        Append returns an error; nothing was promised
//	the spool is full                 settled records are trimmed early, then ErrFull
//	destination unavailable           the drain pauses, keeps all, probes with one event
//	an event fails in a passing way   retry lane, backing off, for Options.Horizon
//	an event fails for good           dead letter, published before the ack
//	a destination panics              the batch is tried one by one; the culprit is dead
//	a record cannot be decoded        kept as a dead letter, the rest goes on
//	crash before the ack              the same events again; destinations are idempotent
package spool
