// Package bench measures a bridge, the real binary over HTTP, beside the limits
// of the machine it runs on. It is what "verobridge bench" runs: to see whether a
// change made anything slower, and to plan how much a machine can take.
//
//	generator ──HTTP──▶ bridge ──▶ Postgres ◀── prober: when can a row be selected?
//	(a process)           │
//	    │                 └──────▶ mock of Vero: when did the call come?
//	    └──▶ bare server (a process), disk, COPY, the mock of Vero: the limits
//
// # What is compared
//
// A figure alone says more about the machine and its neighbours than about the
// program. So each measurement has its limit beside it, what the machine would do
// if the bridge cost nothing, and both take turns in slices of a run: noise hits
// both alike, and the ratio stays.
//
//	ingest      a bare Go server that reads the body and answers, under the same
//	            load; and appending the bytes that are in flight to a file, synced
//	warehouse   COPY of the same rows, ready in memory, into tables with their keys
//	delivery    the same calls to the mock of Vero, straight from the generator
//
// CPU time and memory are the bridge's own, as it shows them on /metrics. A sync
// is a record of the spool: each record is synced once (package spool), and the
// bridge counts them.
//
// # How
//
// A generator (load.go) is this binary again. Its requests are written before it
// starts, but for the digits that make events distinct (request.go), so that it
// takes little of the processors that it shares with the bridge. Without a rate
// it sends on each connection as soon as it has an answer; with one it sends when
// it is time to, and a wait counts from then, not from when a connection was free.
//
// A backlog is made by letting events come in while the bridge cannot log in to
// Postgres, or Vero's door is closed; then the bridge is started again with all
// doors open. That also is how ingest is measured: what comes in is synced, and
// nothing else goes on.
//
// # Failure handling
//
// An answer other than 200 is counted as failed and shown; a bridge that does not
// start, or does not get on for a minute, ends the run with the place of its log.
package bench
