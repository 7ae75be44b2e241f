package story

import (
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// waitingCauses are what an event waits for, and why there is no word of it yet.
var waitingCauses = []cause{
	{
		code:  "bridge_silent",
		cause: "It waits, and the bridge has not said anything for a while: it does not run, or cannot reach Postgres.",
		cure:  "Look whether verobridge serve runs; its log says why if it does not.",
		is:    silent,
		detail: func(_ *Story, p *Place) string {
			return "last heard of at " + p.Standing.UpdatedAt.Format(time.RFC3339)
		},
	},
	{
		code:   "paused_credentials_refused",
		cause:  "It waits, because the destination refuses our credentials; everything is kept.",
		cure:   "Set the destination's auth_token or write_key to a valid one and restart; what waits goes out by itself.",
		is:     pausedBy(delivery.ReasonRefused),
		detail: standingDetail,
	},
	{
		code:   "paused_throttled",
		cause:  "It waits, because the destination asked us to slow down; everything is kept.",
		cure:   "Nothing to do: it goes out by itself. Set rate of the destination if it happens often.",
		is:     pausedBy(delivery.ReasonThrottled),
		detail: standingDetail,
	},
	{
		code:   "paused_unreachable",
		cause:  "It waits, because the destination cannot be reached; everything is kept.",
		cure:   "Check the network and the destination's url; it is probed all the time and goes on by itself.",
		is:     pausedBy(delivery.ReasonUnreachable, delivery.ReasonUnanswered),
		detail: standingDetail,
	},
	{
		code:   "paused_server_error",
		cause:  "It waits, because the destination answers everything with an error; everything is kept.",
		cure:   "Look at the destination's status page; it goes on by itself.",
		is:     pausedBy(delivery.ReasonServerError),
		detail: standingDetail,
	},
	{
		code:   "paused_wrong_url",
		cause:  "It waits, because the destination's url does not lead to it; everything is kept.",
		cure:   "Correct url of the destination and restart.",
		is:     pausedBy(delivery.ReasonWrongURL),
		detail: standingDetail,
	},
	{
		code:   "paused_private_address",
		cause:  "It waits, because the destination's url leads to a private address; everything is kept.",
		cure:   "Correct url of the destination, or set allow_private to true if that is meant.",
		is:     pausedBy(delivery.ReasonPrivateAddress),
		detail: standingDetail,
	},
	{
		code:   "paused_not_permitted",
		cause:  "It waits, because the database lacks a permission for our user; everything is kept.",
		cure:   "Run verobridge check: it writes down the statements that grant it.",
		is:     pausedBy(delivery.ReasonNotPermitted),
		detail: standingDetail,
	},
	{
		code:   "paused_suppressions_unknown",
		cause:  "It waits, because Postgres was never reached and so nobody knows who was erased.",
		cure:   "Make Postgres reachable; it goes on by itself.",
		is:     pausedBy(delivery.ReasonSuppressions),
		detail: standingDetail,
	},
	{
		code:   "paused",
		cause:  "It waits, because its destination is paused; everything is kept.",
		cure:   "The detail says why; it goes on by itself when that is over.",
		is:     pausedBy(),
		detail: standingDetail,
	},
	{
		code:  "replay_waiting",
		cause: "It waits to be sent again, as somebody asked.",
		cure:  "Nothing to do: replays go out while nothing else does.",
		is:    at(delivery.StatusWaiting, delivery.ReasonReplayed),
	},
	{
		code:   "behind_earlier_event",
		cause:  "It waits behind an earlier event of the same person that has not got through, so that their order stays.",
		cure:   "Look up the earlier event of the person; this one follows it.",
		is:     at(delivery.StatusWaiting, delivery.ReasonBehind),
		detail: placeDetail,
	},
	{
		code:   "in_doubt",
		cause:  "A request went out and no answer came; it is repeated while Vero takes the repetition for the same event.",
		cure:   "Nothing to do for some minutes; then it goes on or is called ambiguous.",
		is:     at(delivery.StatusWaiting, delivery.ReasonUnanswered),
		detail: answerDetail,
	},
	{
		code:   "throttled",
		cause:  "It waits, because the destination asked us to slow down.",
		cure:   "Nothing to do: it is tried again by itself.",
		is:     at(delivery.StatusWaiting, delivery.ReasonThrottled),
		detail: answerDetail,
	},
	{
		code:   "waiting_for_identities",
		cause:  "It waits, because Postgres, which knows who the anonymous visitor is, cannot be asked.",
		cure:   "Make Postgres reachable; it goes on by itself.",
		is:     at(delivery.StatusWaiting, delivery.ReasonIdentities, delivery.ReasonSuppressions),
		detail: placeDetail,
	},
	{
		code:   "table_locked",
		cause:  "It waits, because somebody holds a lock on its table.",
		cure:   "End the transaction that holds the lock (pg_stat_activity); it goes on by itself.",
		is:     at(delivery.StatusWaiting, delivery.ReasonLocked),
		detail: placeDetail,
	},
	{
		code:   "retrying",
		cause:  "It failed in a passing way and is tried again, for seven days.",
		cure:   "Nothing to do unless it goes on; the detail has the last answer.",
		is:     at(delivery.StatusWaiting),
		detail: answerDetail,
	},
	{
		code:   "held",
		cause:  "It is held until an identify or alias call says who the anonymous visitor is.",
		cure:   "Identify the visitor (userId and anonymousId in one identify call); it is sent then.",
		is:     at(delivery.StatusHeld),
		detail: func(s *Story, _ *Place) string { return untilDetail("given up at ", s.HeldUntil) },
	},
	{
		code:  "not_routed",
		cause: "It was not sent, because its source does not name this destination.",
		cure:  "Add the destination to destinations of the source; replay sends what came before.",
		is:    func(_ *Story, p *Place) bool { return p != nil && p.Status == "" && !p.Routed },
	},
	{
		code:   "before_the_route",
		cause:  "It was not sent, because its source names this destination only since later.",
		cure:   "verobridge replay sends older events.",
		is:     func(s *Story, p *Place) bool { return p != nil && p.Status == "" && s.ReceivedAt.Before(p.RoutedSince) },
		detail: func(_ *Story, p *Place) string { return "since " + p.RoutedSince.Format(time.RFC3339) },
	},
	{
		code:  "unaccounted",
		cause: "Nobody knows what became of it, though it should have been told.",
		cure:  "Please report this: it must not happen. The log may say that a record was damaged.",
		is:    complete,
	},
	{
		code:  "queued",
		cause: "It waits in the queue for its turn.",
		cure:  "Nothing to do: the destination is behind, and gets on.",
		is:    func(s *Story, p *Place) bool { return untold(s, p) && !p.Standing.BehindSince.IsZero() },
		detail: func(_ *Story, p *Place) string {
			return "the oldest that waits came at " + p.Standing.BehindSince.Format(time.RFC3339)
		},
	},
	{
		code:  "on_its_way",
		cause: "It came in just now, and nothing is reported yet.",
		cure:  "Ask again in some seconds.",
		is:    untold,
	},
}
