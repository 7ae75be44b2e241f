package preview

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// Call is a call as the bridge would take it.
type Call struct {
	// Event is the call as accepted. Of one that is refused only its source is
	// known.
	Event event.Event
	// Rejected is why the door would refuse the call, nil if it would not.
	Rejected *event.RejectError
}

// SyntaxError says where a text is not JSON.
type SyntaxError struct {
	// Line and Column are those of the first character that does not belong
	// there, both from 1. The column counts characters, not bytes.
	Line, Column int
	// Err is what is wrong.
	Err error
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %v", e.Line, e.Column, e.Err)
}

// Unwrap returns what is wrong.
func (e *SyntaxError) Unwrap() error { return e.Err }

// ParseCalls reads JSON values, one after the other: calls, arrays of calls, and
// bodies of batches. They are stamped as calls of the source that arrive now. The
// error is always a *SyntaxError.
func ParseCalls(text []byte, source string, now time.Time) ([]Call, error) {
	stamp := event.Stamp{Source: source, ReceivedAt: now}
	var calls []Call
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		var value json.RawMessage
		switch err := decoder.Decode(&value); {
		case errors.Is(err, io.EOF):
			return calls, nil
		case err != nil:
			return nil, syntaxError(text, err)
		}
		calls = append(calls, callsIn(gjson.ParseBytes(value), stamp)...)
	}
}

// syntaxError says where in a text a JSON error is: at its end, if it was cut
// off.
func syntaxError(text []byte, err error) *SyntaxError {
	at := len(text)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) { // its offset is behind the character
		at = max(0, min(int(syntax.Offset)-1, len(text)))
	}
	before := text[:at]
	return &SyntaxError{
		Line:   1 + bytes.Count(before, []byte("\n")),
		Column: 1 + utf8.RuneCount(before[1+bytes.LastIndexByte(before, '\n'):]),
		Err:    err,
	}
}

// callsIn returns the calls of one JSON value, stamped as the bridge's API does.
func callsIn(value gjson.Result, stamp event.Stamp) []Call {
	items := value
	if batch := value.Get("batch"); value.IsObject() && batch.IsArray() {
		items = batch
		stamp.SentAt = value.Get("sentAt").String()
		stamp.Context = []byte(value.Get("context").Raw)
		stamp.Integrations = []byte(value.Get("integrations").Raw)
	}
	if !items.IsArray() {
		return []Call{newCall(items, stamp)}
	}
	var calls []Call
	for _, item := range items.Array() {
		calls = append(calls, newCall(item, stamp))
	}
	return calls
}

func newCall(call gjson.Result, stamp event.Stamp) Call {
	e, err := event.New([]byte(call.Raw), stamp)
	var rejected *event.RejectError
	if errors.As(err, &rejected) {
		return Call{Event: event.Event{Source: stamp.Source}, Rejected: rejected}
	}
	return Call{Event: e}
}
