package event

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// The reasons for which a call is refused at the door. They are stable codes:
// rejected_events.reason, metrics and alerts use them.
const (
	ReasonNotObject     = "not_an_object"
	ReasonUnknownType   = "unknown_type"
	ReasonNoIdentity    = "no_identity"
	ReasonNoEventName   = "no_event_name"
	ReasonNoGroupID     = "no_group_id"
	ReasonNoPreviousID  = "no_previous_id"
	ReasonInvalidID     = "invalid_id"
	ReasonInvalidField  = "invalid_field"
	ReasonLongMessageID = "message_id_too_long"
	ReasonOtherSource   = "write_key_of_another_source"
)

// RejectError says why a call was refused. The same call would be refused
// again.
type RejectError struct {
	Reason string // one of the Reason constants
	Detail string // a sentence that names the field and the cure
}

// Error implements error.
func (e *RejectError) Error() string { return e.Reason + ": " + e.Detail }

func reject(reason, format string, args ...any) *RejectError {
	return &RejectError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// rejected is the body of an event of type Rejected.
type rejected struct {
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	Body   string `json:"body"`
}

// Reject wraps a refused call, so that it is kept with its reason. The write
// key in it, if there is one, is removed.
func Reject(raw []byte, s Stamp, why *RejectError) Event {
	body, err := json.Marshal(rejected{
		Reason: why.Reason,
		Detail: why.Detail,
		Body:   strings.ToValidUTF8(string(withoutWriteKey(raw)), "\uFFFD"),
	})
	if err != nil {
		panic(err) // three strings always marshal
	}
	return Event{
		ID:         newID(),
		Type:       Rejected,
		Source:     s.Source,
		ReceivedAt: s.ReceivedAt.UTC(),
		Body:       body,
	}
}

// newID makes a messageId. Version 7 ascends with time, which keeps inserts
// into the warehouse's primary keys at the end of the index.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
