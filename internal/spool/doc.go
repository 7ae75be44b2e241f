// Package spool is where events wait: NATS JetStream, embedded in the program
// or an external cluster.
//
//	            Append                     Drain, one per destination
//	requests ──┬─▶ events ──cursor──▶ Deliver ──outcomes──▶ settle
//	           │   (stream)              ▲                    ├─ progress (stream)
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
// # Progress
//
// What a destination has done is one small record that replaces the one before
// it (progress.go), written last in each settlement: the first record that is
// not done, and which events behind it are done all the same. After a crash a
// drain reads on from there, in order. Consumers of the server only read; its
// acknowledgements and redelivery timers would let newer records overtake.
//
// # What must wait
//
// An event that failed in a passing way moves to the destination's retry lane
// (lane.go). While a person has events there, later events of that person queue
// up behind them; everybody else goes on. When the destination as a whole is
// down, nothing moves: the events wait where they are. Only those in doubt move
// (doubt.go), which may not be repeated later.
//
// An event that waits for something else than the destination (delivery.Aside) is
// tried again from the lane as well, but nobody queues up behind it.
//
// An event that its destination holds until its person is known is settled: what
// becomes of it comes back with a later event, or from a sweep (sweep.go).
//
// # Sending again
//
// What people ask to send again, settled events (Replay) and dead letters (Retry),
// goes through a stream for each destination to a drain of its own (feed.go). The
// two drains of a destination take turns: the live one whenever it has something
// to do or is paused, a replay while the live one waits for events, for a batch of
// what its rate allows in a second. So neither what comes in nor the destination's
// limits suffer, and an event that is sent again and fails holds up replays only.
//
//	events ──▶ live drain ────┐ turn
//	                          ├──▶ Deliver
//	replay ──▶ replay drain ──┘
//	  ▲
//	  └── Replay(events), Retry(dead letters)
//
// # How destinations stand
//
// What waits in the stream has no report yet. WatchStandings (standing.go) tells in
// its place how each destination stands: whether it is paused, since when it is
// behind, and until when every event has its report.
//
// # Several bridges
//
// With a URL other programs use the same streams. Each appends; each reader, that is
// a destination with its replays, or the reports, belongs to one at a time:
//
//	fleet   who is there, and how many readers are a bridge's share
//	lease   asOwner: who has a reader, for as long as he renews it
//	claim   what is written by whoever had it before is refused
//
// Whoever gets a reader begins as after a restart, with what is written down. The
// embedded server has no fleet, and leases and claims of nobody.
//
// # Failure handling
//
//	a record cannot be written        Append returns an error; nothing was promised
//	what waits grows                  the log and FullIn say when it will be full
//	the spool is full                 settled records are trimmed early, then ErrFull
//	destination unavailable, or       the drain pauses, keeps all, and probes with
//	everything fails there            one event, of one person after the other
//	one event makes it unavailable    when another gets through, it goes to the lane
//	an event fails in a passing way   retry lane, backing off, for Options.Horizon
//	                                  of the time in which the destination is up
//	an event fails for good           dead letter; the oldest go when they fill up
//	a request goes out, no answer     repeated while that is harmless, also if the
//	comes                             destination is down; then ambiguous, a letter
//	the retry lanes are full          events wait in the stream instead
//	a destination panics              the batch is tried one by one; the culprit is dead
//	a record cannot be decoded        kept as a dead letter, the rest goes on
//	a write or a sync fails           the server gives the stream up for good; once the
//	                                  disk works again Watch says so, and the program
//	                                  opens the spool anew
//	a file is damaged on disk         the record with it is logged and passed over;
//	                                  where its length is gone, what follows it in
//	                                  the file (8 MiB at most) is lost with it
//	what a reader has done is damaged its copy is used, a few seconds older
//	a verdict cannot be written down  tried until it can; nothing else is delivered
//	a bridge is gone                  another one has its readers when its leases end
//	the cluster does not answer       readers stop before their leases end; another
//	                                  of its servers is tried
//	crash before it is written down   the same events again; destinations are idempotent
package spool
