// Package story tells what happened: to one event, to one person, and to all of
// them together. It only reads, so that whoever asks changes nothing and nobody
// who delivers waits for an answer.
//
//	verobridge.deliveries       what became of each event at each destination
//	verobridge.rejected_events  what was refused at the door, call by call     ──▶ Store
//	verobridge.refusals         requests refused as a whole, a sample
//	verobridge.destinations     which are paused, and since when they are behind
//	<source>.tracks, …          the events themselves
//	email_analytics.emails      what came back from Vero
//
// What is asked is read by event.go, person.go and mail.go. What it means is judged
// afterwards, purely: steps.go puts it in order, and verdict.go gives the first cause
// that fits, of the tables in causes_*.go. docs/why.md lists them.
//
// # Failure handling
//
// Every question is one read-only transaction with a time limit, on connections
// of its own: what people look up competes with the loader for nothing but the
// database itself. A table that is not there yet counts as empty, because schemas
// appear with their first event. An error says which part could not be read.
package story
