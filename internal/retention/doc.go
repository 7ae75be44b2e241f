// Package retention deletes what verobridge keeps about events when it is old:
// what became of each of them, what was refused. These rows hold what is known of
// people, and grow with every event. The sources' own tables are the analysts', and
// nothing of them is deleted.
//
//	Run, once an hour ─▶ each table ─▶ a few thousand rows ─▶ rest ─▶ the next …
//
// An event's rows go together or not at all. Somebody who finds one of them must
// not conclude that the event never got to the other destinations, and neither must
// the view verobridge.unaccounted. So an event stays, however old it is, as long as
// it waits or is held anywhere, may not have had its turn at a destination of its
// source, or is dead and a letter as old as it is kept: it may be sent again. How
// long that is the room for letters bounds, and whoever retries or drops them.
//
// # Failure handling
//
//	Postgres is down, or slow     the rest is deleted an hour later
//	killed in the middle          each deletion is one statement; the next goes on
//	several bridges               delete the same rows once
package retention
