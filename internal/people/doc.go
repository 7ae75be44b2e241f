// Package people knows who events are about, where an event alone does not say
// it: who an anonymous visitor is, what waits until he says so, and who wants to
// be forgotten. It owns the tables identities, held_events, suppressions and
// erasures in the schema verobridge.
//
// What it knows it applies to destinations from outside, one wrapper around the
// other; the destinations and the spool know nothing of it:
//
//	spool ──batch──▶ Guard ──▶ Recorder ──▶ warehouse
//	             └─▶ Guard ──▶ Resolver ──▶ vero
//	             └─▶ Guard ──▶ relay
//
//	Guard      skips the events of people who were erased
//	Recorder   writes down which user an anonymousId belongs to, once the call
//	           that says so is in the warehouse
//	Resolver   gives anonymous events of known visitors their userId, holds
//	           others, and releases them when the visitor identifies
//
// # Who a visitor is
//
// An identify call with userId and anonymousId links the two, and so does an
// alias call whose previousId is the anonymousId. Within a source only: another
// source's ids may mean somebody else. The last link wins. A link counts for
// what was received after it. Neither an address among the properties nor the
// anonymousId itself says who somebody is.
//
// The Resolver remembers the links of the calls that pass through it, so that
// it sees the state of things as of the event in hand, however late or early
// the warehouse is. What it has not seen it asks the table, once for each
// visitor: the cache (an LRU) also keeps that somebody is not known.
//
// # Holding
//
//	Cart Viewed (a1)            Held: a row of held_events
//	identify (u1, a1)           delivered, and then the rows of a1, oldest first,
//	                            as u1's, marked verobridge_held, each a Resolved
//
// A row goes in the transaction that writes its last report to
// verobridge.deliveries (warehouse.WriteReports), so that no fate is lost;
// until then the Resolver remembers that it is done with. What was done and not
// yet reported when the program stopped is reported first after the start:
// before that nothing is released (ResolverOptions.CaughtUp).
//
// # Erasure
//
// erase.go. First the identifiers go into suppressions, as hashes, while no
// delivery is under way: whatever is delivered afterwards is skipped, so what is
// deleted then cannot come back.
//
// # Failure handling
//
//	Postgres is down   events with a userId go on, also those that link; the
//	                   Recorder is behind the warehouse and waits with it.
//	                   Anonymous events wait aside where the cache does not know
//	                   the visitor and an answer would matter. What could not be
//	                   released with its identify is released by Sweep
//	Vero fails on a    the identify call is tried again, with those that are left
//	released event
//	nobody knows who   every delivery waits. A copy in the data directory makes
//	was erased         that rare: only a first start without Postgres has none
//	a table is full    the event is skipped, with the reason held_full
package people
