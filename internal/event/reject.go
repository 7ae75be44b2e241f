package event

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"
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
	ReasonTooManyFields = "too_many_fields"
	ReasonUnknownKey    = "unknown_write_key"
	ReasonOrigin        = "origin_not_allowed"
)

// Reasons returns all of them, for whoever counts by reason.
func Reasons() []string {
	return []string{
		ReasonNotObject, ReasonUnknownType, ReasonNoIdentity, ReasonNoEventName, ReasonNoGroupID, ReasonNoPreviousID,
		ReasonInvalidID, ReasonInvalidField, ReasonLongMessageID, ReasonTooManyFields, ReasonUnknownKey, ReasonOrigin,
	}
}

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

// withoutWriteKey returns a call without its write key, for keeping a refused
// one. What is no object has none.
func withoutWriteKey(raw []byte) []byte {
	v := gjson.ParseBytes(raw)
	if !v.IsObject() || !v.Get("writeKey").Exists() {
		return raw
	}
	o := newObject(len(raw))
	v.ForEach(func(key, value gjson.Result) bool {
		if key.Str != "writeKey" {
			o.member(key.Raw, value.Raw)
		}
		return true
	})
	return o.close()
}

// newID makes a messageId. Version 7 ascends with time, which keeps inserts
// into the warehouse's primary keys at the end of the index.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
