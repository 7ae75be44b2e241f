package delivery

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

	// Waiting.
	ReasonBehind      Reason = "behind_earlier_event"
	ReasonThrottled   Reason = "throttled"
	ReasonServerError Reason = "server_error"
	ReasonUnreachable Reason = "unreachable"
	ReasonRefused     Reason = "credentials_refused"
	ReasonWrongURL    Reason = "wrong_url"
	ReasonStopping    Reason = "stopping"
	ReasonLocked      Reason = "table_locked"
	// ReasonNotPermitted is a database's, as ReasonRefused is an HTTP API's.
	ReasonNotPermitted Reason = "not_permitted"

	// Dead.
	ReasonBadRequest Reason = "bad_request"
	ReasonTooLong    Reason = "value_too_long"
	ReasonExpired    Reason = "retries_exhausted"
	ReasonRowRefused Reason = "row_refused"
	ReasonUnreadable Reason = "unreadable"
	ReasonBug        Reason = "internal_error"
)

var sentences = map[Reason]string{
	ReasonDelivered:     "delivered",
	ReasonNoIdentity:    "not sent, because the event has neither a userId nor an e-mail address in its traits; identify the person first",
	ReasonLoopGuard:     "not sent, because the event came from Vero",
	ReasonIntegrations:  "not sent, because the event's integrations object switches this destination off",
	ReasonNothingToSend: "not sent, because the event maps to no call here",
	ReasonBehind:        "waits behind an earlier event of the same person",
	ReasonThrottled:     "waits, because the destination asked us to slow down",
	ReasonServerError:   "waits, because the destination answered with an error of its own",
	ReasonUnreachable:   "waits, because the destination did not answer",
	ReasonRefused:       "waits, because the destination refused our credentials; check its auth_token or write_key",
	ReasonWrongURL:      "waits, because the url does not lead to the destination; check the url",
	ReasonStopping:      "waits for the next start, because the program was stopping",
	ReasonLocked:        "waits, because somebody holds a lock on the table",
	ReasonNotPermitted:  "waits, because the database lacks a permission for its user; grant it, or correct the user and password in the url",
	ReasonBadRequest:    "the destination refused this event and would refuse it again",
	ReasonTooLong:       "a value is longer than the destination allows",
	ReasonExpired:       "given up after the retry horizon",
	ReasonRowRefused:    "the database refused this row and would refuse it again",
	ReasonUnreadable:    "the event cannot be read",
	ReasonBug:           "verobridge made a mistake; please report it",
}

// Sentence says the reason in words, with the cure where there is one.
func (r Reason) Sentence() string {
	if s, ok := sentences[r]; ok {
		return s
	}
	return string(r)
}
