// Package outbound takes events to HTTP APIs: to Vero's Track API, which
// triggers emails, and to other endpoints that speak Segment's protocol.
//
//	event.Event ──plan──▶ requests ──client──▶ answer ──judge──▶ delivery.Outcome
//	              pure               the only I/O          pure
//
// A destination is a plan and a delivery. The plan (vero_plan.go and its
// neighbours vero_*.go, segment_batch.go) turns an event into requests by
// looking at the event alone: no clock, no network, no state. The same event
// therefore always makes the same bytes, which is what makes a repeated call
// harmless: Vero drops an event that equals an earlier one in name, identity
// and data within minutes (getvero-docs, "Track events"), and a Segment endpoint
// drops a messageId that it has seen. To keep two real events apart that happen
// to be equal, the messageId goes into Vero's data as segment_message_id.
//
// # What an event becomes
//
//	event ──unwanted?──▶ person ──▶ command | identify | group | alias | track | view ──▶ tags
//	        skipped, with the reason   one file each, vero_*.go
//
// A Mapping is a handful of options, a preset a value for each of them
// (vero_presets.go), and an EventRule what is special about events of one name.
// What protects people is none of these: the loop guard, consent and the limits
// of browsers hold whatever the preset.
//
// # Who the event is about
//
// Vero knows a person by the userId, or the id in the traits. Where an event has
// neither, the e-mail address in its traits is the id as well as the address,
// which is the rule of Vero's own clients: "If an id is not present it should use email as the id"
// (README of github.com/getvero/vero). Both are sent, because an event that
// comes with an address alone makes Vero create a profile named by it without
// saying that the profile can be mailed. An anonymousId and a property named
// email are not sent as identity unless the settings ask for it: the first makes
// a profile that can never be mailed, the second may be an invitee's address and
// would replace the person's own.
//
// # Who may do what
//
// The write key of a web page is public. An event that came with one is planned
// like any other, and then vero_trust.go takes from the plan what strangers
// could be harmed with: whatever says where a person can be reached, every call
// but those that write a profile or an event, and every event that the source's
// settings do not list. vero_triggers.go counts what is left, by person and
// hour. So a public key makes no address known to Vero, and nobody gets mail by
// it who was not made known by a server.
//
// # Order and speed
//
// Vero has no batch endpoint: each event is a call of its own, and speed comes
// from calls in parallel. Events that share a person go one after the other
// (delivery.Chains); different people go in parallel, as many as Concurrency
// says. A Segment-compatible endpoint takes batches, which go one after the
// other and keep the order of everybody.
//
// # Failure handling
//
// failure.go is the one place that decides what an answer means:
//
//	2xx                                  delivered
//	400, 404, 413, 422, other 4xx        dead: this event would fail again
//	408, 421, 425, 460, 5xx              retry this event; the later events of the
//	                                     person wait behind it
//	no answer to a request that was      the same, or in doubt: see below
//	written, 504
//	401, 402, 403, 407, 511, 429, 503    the destination is unavailable: no new
//	with Retry-After, 3xx, 404 for a     call is started, everything is kept
//	path that must be there, connection
//	refused, DNS, TLS, private address
//
// A call to events/track adds something each time that Vero takes it for a new
// one. Such an event is in doubt once a request went out and no answer came, or
// once a later call of the same event failed: it is repeated only while Vero
// drops the repetition, and then left to people (decision 33). Every other call
// can be repeated at any time, and so can batches to a Segment-compatible
// endpoint. A batch that is refused is halved until the event is found that is
// refused by itself, so that it alone is dead.
//
// When a destination answers that there are too many calls, all of them wait as
// long as it says, and go on at half the rate, which grows back (pace.go,
// decision 34).
//
// A call that is under way when the program stops may end, for a few seconds: a
// call that is cut off is made again at the next start, which may be later than
// Vero remembers the first.
//
// Nothing of a batch is settled before all of it has its outcomes, so a slow
// answerer must not keep a batch for long: after the Budget no new event is
// begun, and the others are told to wait for their turn.
//
// # Where calls may lead
//
// A URL in the settings may name any host, and a name may lead anywhere. So that
// nobody who can change either makes the bridge call what only its own network
// can reach, such as a cloud's service of credentials, address.go refuses to dial
// private addresses unless the destination is allowed to. It judges the address
// that is dialled, not the name. No redirect is followed. Where a proxy of the
// environment (HTTPS_PROXY) makes the connections, it decides where they lead.
//
// Secrets stay inside: Vero's auth_token goes into the body, never into a URL,
// and what is kept of a call for people to read is redacted.
package outbound
