package story

import (
	"github.com/verobridge/verobridge/internal/delivery"
)

// endedCauses are why an event was not sent, or failed.
var endedCauses = []cause{
	// Not wanted.
	{
		code:  "no_identity",
		cause: "It was not sent, because it names nobody: no userId, and no id or e-mail address in its traits.",
		cure:  "Call identify before, or send a userId; hold_anonymous keeps events until then.",
		is:    at(delivery.StatusSkipped, delivery.ReasonNoIdentity),
	},
	{
		code:  "held_expired",
		cause: "It was held for an anonymous visitor whom nobody identified in time.",
		cure:  "Identify visitors earlier, or raise for of hold_anonymous.",
		is:    at(delivery.StatusSkipped, delivery.ReasonHeldExpired),
	},
	{
		code:  "held_full",
		cause: "It was not held, because as many events of anonymous visitors are held as may be.",
		cure:  "Identify visitors earlier, or shorten the list in hold_anonymous.",
		is:    at(delivery.StatusSkipped, delivery.ReasonHeldFull),
	},
	{
		code:  "filtered_by_condition",
		cause: "It was not sent, because it does not meet the condition in the destination's events setting.",
		cure:  "Compare its properties with the condition; verobridge map shows what it becomes.",
		is:    at(delivery.StatusSkipped, delivery.ReasonCondition),
	},
	{
		code:  "dropped_by_mapping",
		cause: "It was not sent, because the destination's events setting drops events of this name.",
		cure:  "Remove the rule from events if that is not meant.",
		is:    at(delivery.StatusSkipped, delivery.ReasonDropped),
	},
	{
		code:  "nothing_to_send",
		cause: "It was not sent, because the mapping makes no call of such an event.",
		cure:  "verobridge map shows what it becomes, and which option would send it.",
		is:    at(delivery.StatusSkipped, delivery.ReasonNothingToSend),
	},
	{
		code:  "no_consent",
		cause: "It was not sent, because the person has not consented to a category that this destination requires.",
		cure:  "Look at the consent in the event's context, and at consent of the destination.",
		is:    at(delivery.StatusSkipped, delivery.ReasonConsent),
	},
	{
		code:  "integrations_false",
		cause: "It was not sent, because its integrations object switches this destination off.",
		cure:  "Remove the destination, or All: false, from integrations in the app.",
		is:    at(delivery.StatusSkipped, delivery.ReasonIntegrations),
	},
	{
		code:  "suppressed",
		cause: "It was not sent, because its person was erased and is never sent again.",
		is:    at(delivery.StatusSkipped, delivery.ReasonSuppressed),
	},
	{
		code:  "loop_guard",
		cause: "It was not sent, because it came from Vero; what Vero reports never goes back to it.",
		is:    at(delivery.StatusSkipped, delivery.ReasonLoopGuard),
	},
	{
		code:  "source_removed",
		cause: "It was not sent, because its source was removed or renamed while it waited.",
		cure:  "Bring the source back and replay.",
		is:    at(delivery.StatusSkipped, delivery.ReasonSourceRemoved),
	},
	{
		code:  "route_removed",
		cause: "It was not sent, because its source no longer named this destination when its turn came.",
		cure:  "Add the destination to the source again and replay.",
		is:    at(delivery.StatusSkipped, delivery.ReasonNotRouted),
	},
	{
		code:  "browser_event",
		cause: "It was not sent, because a browser may not trigger events of this name.",
		cure:  "Add its name to events of the source, or send it from a server.",
		is:    at(delivery.StatusSkipped, delivery.ReasonBrowserEvent),
	},
	{
		code:  "browser_address",
		cause: "It was not sent, because an event from a browser may not name its person by an e-mail address.",
		cure:  "Send a userId without an @, or send it from a server.",
		is:    at(delivery.StatusSkipped, delivery.ReasonBrowserAddress),
	},
	{
		code:  "browser_call",
		cause: "It was not sent, because a browser may not make such a call.",
		cure:  "Send it from a server.",
		is:    at(delivery.StatusSkipped, delivery.ReasonBrowserCall),
	},
	{
		code:  "browser_rate_capped",
		cause: "It was not sent, because its person had as many triggers from browsers within an hour as may be.",
		cure:  "Raise triggers_per_hour of the source if people really do that.",
		is:    at(delivery.StatusSkipped, delivery.ReasonBrowserTriggers),
	},
	{
		code:  "browser_flood",
		cause: "It was not sent, because the source triggered more within an hour than can be counted.",
		cure:  "If this was no campaign, its write key is abused: replace it.",
		is:    at(delivery.StatusSkipped, delivery.ReasonBrowserFlood),
	},
	{
		code:   "skipped",
		cause:  "It was not sent.",
		cure:   "The detail says why.",
		is:     at(delivery.StatusSkipped),
		detail: placeDetail,
	},

	// Failed.
	{
		code:   "ambiguous",
		cause:  "Nobody knows whether it arrived: a request went out, no answer came, and a repetition could have a second effect.",
		cure:   "Look in Vero whether the person has the event; then verobridge dead retry or dead drop.",
		is:     at(delivery.StatusAmbiguous),
		detail: answerDetail,
	},
	{
		code:   "dead_bad_request",
		cause:  "The destination refused it and would refuse it again.",
		cure:   "The detail has its answer; mend the event or the mapping, then verobridge dead retry.",
		is:     at(delivery.StatusDead, delivery.ReasonBadRequest),
		detail: answerDetail,
	},
	{
		code:   "dead_value_too_long",
		cause:  "It was not sent, because a value is longer than the destination allows.",
		cure:   "Shorten the value where it is made.",
		is:     at(delivery.StatusDead, delivery.ReasonTooLong),
		detail: placeDetail,
	},
	{
		code:   "dead_retries_exhausted",
		cause:  "It failed for seven days in which others got through, and was given up.",
		cure:   "The detail has the last answer; when the cause is mended, verobridge dead retry.",
		is:     at(delivery.StatusDead, delivery.ReasonExpired),
		detail: answerDetail,
	},
	{
		code:   "set_aside_by_warehouse",
		cause:  "Postgres refused its row and would refuse it again; the event is kept as a dead letter.",
		cure:   "The detail has Postgres' words; mend the table, then verobridge dead retry.",
		is:     at(delivery.StatusDead, delivery.ReasonRowRefused),
		detail: placeDetail,
	},
	{
		code:   "dead_unreadable",
		cause:  "It cannot be read; it is kept as a dead letter.",
		cure:   "verobridge dead show has what is there of it.",
		is:     at(delivery.StatusDead, delivery.ReasonUnreadable),
		detail: placeDetail,
	},
	{
		code:   "dead_internal_error",
		cause:  "verobridge made a mistake with it; it is kept as a dead letter.",
		cure:   "Please report it, with the detail; then verobridge dead retry.",
		is:     at(delivery.StatusDead, delivery.ReasonBug),
		detail: placeDetail,
	},
	{
		code:   "dead",
		cause:  "It was given up; it is kept as a dead letter.",
		cure:   "The detail says why; verobridge dead retry sends it again.",
		is:     at(delivery.StatusDead),
		detail: placeDetail,
	},
}
