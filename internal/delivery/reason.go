package delivery

import (
	"maps"
	"slices"
)

// Reason is a stable code for why an event's fate is what it is. Codes never
// change their meaning: SQL, alerts and the command line rely on them.
type Reason string

// The reasons, by the status that they go with.
const (
	ReasonDelivered Reason = "delivered"

	// Skipped.
	ReasonNoIdentity    Reason = "no_identity"
	ReasonLoopGuard     Reason = "loop_guard"
	ReasonIntegrations  Reason = "integrations_false"
	ReasonNothingToSend Reason = "nothing_to_send"
	ReasonNotRouted     Reason = "not_routed"
	ReasonSourceRemoved Reason = "source_removed"
	ReasonHeldExpired   Reason = "held_expired"
	ReasonHeldFull      Reason = "held_full"
	ReasonConsent       Reason = "no_consent"
	ReasonSuppressed    Reason = "suppressed"
	ReasonDropped       Reason = "dropped_by_mapping"
	ReasonCondition     Reason = "condition_not_met"

	// Held.
	ReasonHeld Reason = "held_until_identified"

	// Skipped, because the event came with a write key that everybody can read.
	ReasonBrowserAddress  Reason = "browser_address"
	ReasonBrowserEvent    Reason = "browser_event"
	ReasonBrowserCall     Reason = "browser_call"
	ReasonBrowserTriggers Reason = "browser_triggers"
	ReasonBrowserFlood    Reason = "browser_flood"

	// Delivered, but for what such an event may not set.
	ReasonBrowserWithheld Reason = "browser_withheld"

	// Delivered, but without the calls for single products.
	ReasonManyProducts Reason = "too_many_products"

	// Delivered, but without the tags, which Vero refused.
	ReasonTagsRefused Reason = "tags_refused"

	// Waiting.
	ReasonBehind      Reason = "behind_earlier_event"
	ReasonReplayed    Reason = "replayed"
	ReasonThrottled   Reason = "throttled"
	ReasonServerError Reason = "server_error"
	ReasonUnanswered  Reason = "unanswered"
	ReasonUnreachable Reason = "unreachable"
	ReasonRefused     Reason = "credentials_refused"
	ReasonWrongURL    Reason = "wrong_url"
	// ReasonPrivateAddress is a url that leads into the bridge's own network.
	ReasonPrivateAddress Reason = "private_address"
	ReasonStopping       Reason = "stopping"
	ReasonLocked         Reason = "table_locked"
	// ReasonIdentities and ReasonSuppressions wait for verobridge's own tables.
	ReasonIdentities   Reason = "identities_unavailable"
	ReasonSuppressions Reason = "suppressions_unknown"
	// ReasonNotPermitted is a database's, as ReasonRefused is an HTTP API's.
	ReasonNotPermitted Reason = "not_permitted"

	// Ambiguous.
	ReasonAmbiguous Reason = "ambiguous"

	// Dead.
	ReasonBadRequest Reason = "bad_request"
	ReasonTooLong    Reason = "value_too_long"
	ReasonExpired    Reason = "retries_exhausted"
	ReasonRowRefused Reason = "row_refused"
	ReasonUnreadable Reason = "unreadable"
	ReasonBug        Reason = "internal_error"
)

var sentences = map[Reason]string{
	ReasonNotRouted:       "not sent, because the event's source no longer names this destination",
	ReasonSourceRemoved:   "not sent, because the event's source is no longer in the settings; it was removed or renamed while the event waited",
	ReasonDelivered:       "delivered",
	ReasonNoIdentity:      "not sent, because the event has neither a userId nor an id or e-mail address in its traits; identify the person first",
	ReasonLoopGuard:       "not sent, because the event came from Vero",
	ReasonIntegrations:    "not sent, because the event's integrations object switches this destination off",
	ReasonNothingToSend:   "not sent, because the event maps to no call here",
	ReasonBrowserAddress:  "not sent, because an event from a browser may not name its person by an e-mail address; send a userId without an @, or send the event from a server",
	ReasonBrowserEvent:    "not sent, because the event is not among those that a browser may trigger; add its name to the source's events",
	ReasonBrowserCall:     "not sent, because a browser may neither merge or delete people nor change their subscription; send the event from a server",
	ReasonBrowserTriggers: "not sent, because the person had as many triggers from browsers within an hour as triggers_per_hour of the source allows; raise it if people really do that",
	ReasonBrowserFlood:    "not sent, because the source triggered more within an hour than can be counted; if this was no campaign, its write key is abused: replace it",
	ReasonBrowserWithheld: "delivered without the e-mail address, phone number, push channel or tags in the event, which a browser may not set; send them from a server",
	ReasonManyProducts:    "delivered without its Ordered Product events, because the order has more products than are sent one by one",
	ReasonTagsRefused:     "delivered without the tags in the event, which the destination refused and would refuse again; its answer says why",
	ReasonHeldExpired:     "not sent, because nobody identified the anonymous visitor in time",
	ReasonHeldFull:        "not sent, because as many events of anonymous visitors are held as may be; identify visitors earlier, or shorten the list in hold_anonymous",
	ReasonConsent:         "not sent, because the person has not consented to a category that this destination requires",
	ReasonSuppressed:      "not sent, because the person was erased and is never sent again",
	ReasonDropped:         "not sent, because the destination's events setting drops events of this name",
	ReasonCondition:       "not sent, because the event does not meet the condition in the destination's events setting",
	ReasonHeld:            "held, until an identify or alias call says who the anonymous visitor is",
	ReasonUnanswered:      "waits, because a request went out and no answer came back; it is repeated while that is harmless",
	ReasonAmbiguous:       "unknown whether it arrived: a request went out, no answer came back, and it is too late to repeat it without risking a second effect; look in Vero, then retry or drop it",
	ReasonBehind:          "waits for its turn, behind earlier events",
	ReasonReplayed:        "waits to be sent again, as somebody asked",
	ReasonThrottled:       "waits, because the destination asked us to slow down",
	ReasonServerError:     "waits, because the destination answered with an error of its own",
	ReasonUnreachable:     "waits, because the destination did not answer",
	ReasonRefused:         "waits, because the destination refused our credentials; check its auth_token or write_key",
	ReasonWrongURL:        "waits, because the url does not lead to the destination; check the url",
	ReasonPrivateAddress:  "waits, because the url leads to a private address; correct the url, or set allow_private to true on the destination if that is meant",
	ReasonStopping:        "waits for the next start, because the program was stopping",
	ReasonIdentities:      "waits, because the warehouse, which knows who the anonymous visitor is, cannot be asked",
	ReasonSuppressions:    "waits, because nobody knows yet who was erased; it goes on when the warehouse has been reached once",
	ReasonLocked:          "waits, because somebody holds a lock on the table",
	ReasonNotPermitted:    "waits, because the database lacks a permission for its user; grant it, or correct the user and password in the url",
	ReasonBadRequest:      "the destination refused this event and would refuse it again",
	ReasonTooLong:         "a value is longer than the destination allows",
	ReasonExpired:         "given up after the retry horizon",
	ReasonRowRefused:      "the database refused this row and would refuse it again",
	ReasonUnreadable:      "the event cannot be read",
	ReasonBug:             "verobridge made a mistake; please report it",
}

// Reasons returns all reasons there are, in the order of their codes.
func Reasons() []Reason { return slices.Sorted(maps.Keys(sentences)) }

// Sentence says the reason in words, with the cure where there is one.
func (r Reason) Sentence() string {
	if s, ok := sentences[r]; ok {
		return s
	}
	return string(r)
}
