// Package torture breaks a bridge on purpose, again and again, and counts what
// it lost. It is what "verobridge torture" runs: the promise of the README as
// something that a reader can try.
//
//	clients ──batches──▶ bridge (the real binary) ──▶ Postgres (real)
//	   │                    ▲                     └──▶ mock of Vero
//	 ledger               fault                          │
//	   └──────────── compare, at the end ────────────────┘
//
// The ledger (ledger.go) holds each messageId that the bridge answered with 200.
// A scenario does one thing to the bridge or to what it depends on, as many
// times as it is told, at moments drawn from a seed, while clients go on sending
// as SDKs do: a batch that was not acknowledged is sent again until it is. Then
// everything is left in peace until nothing waits any more, and the ledger is
// compared with what there is (compare.go):
//
//	lost               acknowledged, and not in the tables, or without the report
//	                   of its delivery, or without an effect at Vero
//	duplicate rows     more than one row for an event in a table
//	duplicate effects  more than one effect of an event at Vero, which drops an
//	                   equal event within minutes, and so does the mock
//	out of order       an event that took effect at Vero after a later one of the
//	                   same person
//	unaccounted        events without a report where one was due (verobridge.unaccounted)
//	leaks              a write key or a token in the log or in a table
//
// In the scenario cluster three bridges share three NATS servers (internal/natscluster),
// and clients turn to the next bridge where one does not take a batch.
//
// A bridge is used for at most some cycles, then a new one with a new database
// takes its place, so that a long run needs no more memory than a short one.
package torture
