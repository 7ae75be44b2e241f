// Package event defines what flows through verobridge: one Segment call, as a
// source sent it and as the server stamped it.
//
// An Event carries its own JSON. It is read once at the door, where New judges
// it, and from then on its bytes do not change: fields that nobody here knows
// about, integers beyond 2^53 and the exact digits of a price arrive in the
// warehouse and at Vero as they were sent. Decoding into the structs of
// analytics-go would lose all three, so analytics-go only judges: it says
// whether a call has what its type needs (analytics.ValidateFields).
//
// # What New does to a call
//
//	the call as sent            the call as accepted (Event.Body)
//	writeKey                →   removed, it is a secret
//	messageId               →   kept, or made by the server
//	userId: 42, null, " "   →   "42", absent, absent
//	context, integrations   →   merged over those of the batch's envelope
//	properties: [], traits  →   absent (PHP writes an empty map as [])
//	timestamp               →   originalTimestamp; timestamp is corrected for
//	                            the skew of the client's clock
//	                        →   receivedAt, sentAt, type and channel are stamped
//
// A call that New refuses is not lost: Reject wraps it into an event of type
// Rejected, which travels the same durable road and ends as a row in
// verobridge.rejected_events.
package event
