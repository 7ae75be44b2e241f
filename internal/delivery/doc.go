// Package delivery is the contract between the spool, which keeps events, and
// the destinations, which do something with them.
//
//	spool ──batch of events──▶ Destination.Deliver
//	spool ◀──one Outcome for each event, in the same order──┘
//
// A destination never settles anything itself: it answers with one Outcome for
// each event, and the spool turns outcomes into progress, retries,
// pauses, dead letters and reports (spool/settle.go). An Outcome is a verdict,
// made only by the functions below, so it cannot contradict itself:
//
//	Delivered    done; with the calls that were made. DeliveredWithout, if a
//	             part of the event was withheld
//	Skipped      not wanted here, and why; not an error
//	Retry        passing: the same event may well succeed later
//	Aside        passing, and the fault of neither the event nor the destination:
//	             it waits alone
//	Unanswered   a request went out and no answer came: as Retry, but only for
//	             as long as a repetition is harmless
//	Ambiguous    it is not known, and cannot be found out, whether it is done
//	Held         kept by the destination until its person is known; resolved with
//	             the outcome of a later event, or given up by Sweep
//	Dead         permanent: the same event would always fail
//	Unavailable  the destination as a whole cannot take anything now; every
//	             event is kept and the destination is probed until it answers
//
// # Order
//
// Events that share a person (event.Event.People) must take effect in the order
// in which they were accepted. Inside a batch that is the destination's duty:
// after a Retry, it must not attempt the later events of the same person, and
// answers Behind for them. Across batches it is the spool's.
//
// # Once
//
// After a crash the spool may hand over events that were delivered already. A
// destination makes that harmless by event.Event.ID.
package delivery
