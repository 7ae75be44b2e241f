package event

import "time"

// Refusal is requests that the door refused as a whole, for one reason and with
// one write key. Their events are not kept; this is what is left of them.
type Refusal struct {
	// At is when the first of them came.
	At time.Time
	// Reason is the stable code that was answered, Detail its sentence.
	Reason, Detail string
	// Source is the name of the source that the write key belongs to, "" if it
	// belongs to none or there was none.
	Source string
	// Key is the beginning of the write key, "" if there was none. It is too short
	// to be used.
	Key string
	// MessageIDs are those of the calls in them that were read, the first few.
	MessageIDs []string
	// Calls counts the calls that were read, Requests the requests.
	Calls, Requests int
}
