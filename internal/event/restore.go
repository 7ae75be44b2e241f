package event

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/tidwall/gjson"
)

// Restore makes an event of a call that was accepted elsewhere or long ago, as
// archives keep it. It judges the call as New does and stamps it by what it says
// itself, so that the same call always gives the same event:
//
//   - it was received at its receivedAt, else at its sentAt, that of its batch, its
//     timestamp, or s.ReceivedAt, the first that is a time;
//   - a call with a receivedAt went through a server, which corrected its
//     timestamp (segment-docs, connections/spec/common): that is not done twice;
//   - a call without a messageId gets one made of its bytes.
//
// The error is always a *RejectError.
func Restore(raw []byte, s Stamp) (Event, error) {
	c, rejected := accept(string(raw), s.Type)
	if rejected != nil {
		return Event{}, rejected
	}
	if c.messageID == "" {
		c.messageID = contentID(raw)
	}
	received, ok := ParseTime(gjson.GetBytes(raw, "receivedAt").String())
	c.corrected = ok
	for _, other := range []string{c.sentAt.String(), s.SentAt, c.timestamp.String()} {
		if !ok {
			received, ok = ParseTime(other)
		}
	}
	if !ok {
		received = s.ReceivedAt.UTC()
	}
	return c.accepted(s, received), nil
}

// RejectRestored wraps a call that Restore refused, as Reject does, under an id
// made of its bytes, so that the same call is kept once.
func RejectRestored(raw []byte, s Stamp, why *RejectError) Event {
	e := Reject(raw, s, why)
	e.ID = contentID(raw)
	return e
}

// contentID names a call by its bytes.
func contentID(raw []byte) string {
	sum := sha256.Sum256(raw)
	return "content-" + hex.EncodeToString(sum[:16])
}
