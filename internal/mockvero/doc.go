// Package mockvero is a Vero for development, for tests and for the CI of
// people who use verobridge: it answers the Track API as Vero does, remembers
// what the calls did, and sends the emails that they trigger.
//
//	bridge ──POST /api/v2/events/track──▶ Server ──workflow──▶ email
//	bridge ◀──Sent, Delivered, Opened, … as webhooks or Segment calls──┘
//	you    ──/mock/faults, /mock/calls, /mock/state──▶ Server
//
// # What it keeps to
//
// The rules are those that Vero documents or that its official clients show:
//
//   - parameters are checked before the token, so that a 400 says nothing about
//     the token; a missing or wrong token is a 401, an unknown path a 404;
//   - auth_token or tracking_api_key, in the body or in the query; paths with
//     and without .json; JSON or form bodies;
//   - success is {"status":200,"message":"Success."};
//   - ids, addresses and event names are shorter than 255 characters;
//   - an event that equals an earlier one in token, name, identity and data is
//     answered with 200 and dropped, for five minutes. Without data, check_id
//     stands in for it. "Purchased Item" and purchased_item are the same name;
//   - an event creates its person; an identity that is only an address is a
//     person whose id is that address;
//   - reidentify merges two people, delete is final, also for their events;
//   - only people with an address get emails, and none who has unsubscribed,
//     complained or bounced.
//
// What Vero does not document is the mock's own choice and should not be relied
// on: error texts, which value wins in a merge (the new id's), a wrong method
// (404).
//
// # Emails
//
// Each event that a workflow is set to makes one email. The first four emails
// run through all that can happen to one; what happens to the others is drawn
// from their event, so that the same events make the same emails. A person
// whose id is their address is known by it alone: no user id is sent back for
// them.
//
// # Control
//
//	POST   /mock/faults   {"status":429,"retry_after":2,"count":3,"path":"events/track"}
//	DELETE /mock/faults   back to normal
//	GET    /mock/calls    what was called, oldest first
//	GET    /mock/state    what it has led to: people, events, emails
//
// Fault has the fields of a fault. Without count it hits one call; -1 is until DELETE. Bodies are kept as they came, with the token
// in them: do not give a mock a real one.
//
// # Failure handling
//
// A post to the bridge that fails is tried again a few times, then dropped and
// logged. The number of emails under way is bounded; beyond it no email is
// made, and /mock/state counts it.
package mockvero
