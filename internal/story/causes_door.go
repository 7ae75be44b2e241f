package story

import (
	"github.com/verobridge/verobridge/internal/event"
)

// doorCauses are what became of an event that was never accepted.
var doorCauses = []cause{
	// Refused with the request that it was in.
	{
		code:   "unknown_write_key",
		cause:  "It never came in: its write key belongs to no source.",
		cure:   "Compare the write key in the app with write_keys in the settings; the event has to be sent again.",
		is:     refusedAs("unknown_write_key"),
		detail: refusalDetail,
	},
	{
		code:   "missing_write_key",
		cause:  "It never came in: the request had no write key.",
		cure:   "Set the write key in the SDK; the event has to be sent again.",
		is:     refusedAs("missing_write_key"),
		detail: refusalDetail,
	},
	{
		code:   "source_disabled",
		cause:  "It never came in: its source is disabled in the settings.",
		cure:   "Set disabled of the source to false; the event has to be sent again.",
		is:     refusedAs("source_disabled"),
		detail: refusalDetail,
	},
	{
		code:   "origin_not_allowed",
		cause:  "It never came in: the web page's origin is not among those of its source.",
		cure:   "Add the page's origin to the source's origins; the event has to be sent again.",
		is:     refusedAs("origin_not_allowed"),
		detail: refusalDetail,
	},
	{
		code:   "rate_limited",
		cause:  "It was refused because its write key sent more than the rate_limit of its source; the SDK should have sent it again.",
		cure:   "Raise rate_limit of the source, or find out who sends that much.",
		is:     refusedAs("rate_limited"),
		detail: refusalDetail,
	},
	{
		code:   "not_stored",
		cause:  "It was refused because the disk could not take it; the SDK should have sent it again.",
		cure:   "Look at verobridge check and the log: the disk is full, or fails.",
		is:     refusedAs("not_stored"),
		detail: refusalDetail,
	},
	{
		code:   "events_too_large",
		cause:  "It never came in: its batch, each event with the context of all, was too large.",
		cure:   "Send smaller batches, or a smaller context.",
		is:     refusedAs("events_too_large"),
		detail: refusalDetail,
	},
	{
		code:  "refused",
		cause: "It never came in: the request that it was in was refused.",
		cure:  "The detail says why; mend it, and send the event again.",
		is: func(s *Story, focus *Place) bool {
			return focus == nil && len(s.Rejections) == 0 && len(s.Refusals) > 0
		},
		detail: refusalDetail,
	},

	// Refused by itself.
	{
		code:   "rejected_not_an_object",
		cause:  "It was refused at the door: it is no JSON object.",
		cure:   "Mend what sends it; its body is in verobridge.rejected_events.",
		is:     rejectedAs(event.ReasonNotObject),
		detail: rejectionDetail,
	},
	{
		code:   "rejected_unknown_type",
		cause:  "It was refused at the door: its type is none of Segment's calls.",
		cure:   "Set type to track, identify, page, screen, group or alias.",
		is:     rejectedAs(event.ReasonUnknownType),
		detail: rejectionDetail,
	},
	{
		code:   "rejected_no_identity",
		cause:  "It was refused at the door: it has neither a userId nor an anonymousId.",
		cure:   "Send one of the two; SDKs do that by themselves.",
		is:     rejectedAs(event.ReasonNoIdentity),
		detail: rejectionDetail,
	},
	{
		code:   "rejected_no_event_name",
		cause:  "It was refused at the door: it is a track call without the name of its event.",
		cure:   "Set event to a name.",
		is:     rejectedAs(event.ReasonNoEventName),
		detail: rejectionDetail,
	},
	{
		code:   "rejected_no_group_id",
		cause:  "It was refused at the door: it is a group call without a groupId.",
		cure:   "Set groupId.",
		is:     rejectedAs(event.ReasonNoGroupID),
		detail: rejectionDetail,
	},
	{
		code:   "rejected_no_previous_id",
		cause:  "It was refused at the door: it is an alias call without the previousId that userId replaces.",
		cure:   "Set previousId.",
		is:     rejectedAs(event.ReasonNoPreviousID),
		detail: rejectionDetail,
	},
	{
		code:   "rejected_invalid_id",
		cause:  "It was refused at the door: one of its ids is neither text nor a number.",
		cure:   "Send ids as text.",
		is:     rejectedAs(event.ReasonInvalidID),
		detail: rejectionDetail,
	},
	{
		code:   "rejected_invalid_field",
		cause:  "It was refused at the door: one of its fields is not what it must be.",
		cure:   "The detail names the field.",
		is:     rejectedAs(event.ReasonInvalidField),
		detail: rejectionDetail,
	},
	{
		code:   "rejected_message_id_too_long",
		cause:  "It was refused at the door: its messageId is too long.",
		cure:   "Leave the messageId to the SDK, or make it shorter.",
		is:     rejectedAs(event.ReasonLongMessageID),
		detail: rejectionDetail,
	},
	{
		code:   "rejected_too_many_fields",
		cause:  "It was refused at the door: it has more fields than are kept.",
		cure:   "Send less, or several events.",
		is:     rejectedAs(event.ReasonTooManyFields),
		detail: rejectionDetail,
	},
	{
		code:   "rejected_unknown_write_key",
		cause:  "It was refused at the door: it has a write key of its own, which belongs to no source.",
		cure:   "Leave writeKey out of the events of a batch, or correct it.",
		is:     rejectedAs(event.ReasonUnknownKey),
		detail: rejectionDetail,
	},
	{
		code:   "rejected_origin_not_allowed",
		cause:  "It was refused at the door: it has a write key of its own, which pages of that origin may not use.",
		cure:   "Add the origin to the source's origins.",
		is:     rejectedAs(event.ReasonOrigin),
		detail: rejectionDetail,
	},
	{
		code:   "rejected",
		cause:  "It was refused.",
		cure:   "The detail says why; its body is in verobridge.rejected_events.",
		is:     func(s *Story, focus *Place) bool { return focus == nil && len(s.Rejections) > 0 },
		detail: rejectionDetail,
	},
}
