package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// mapCall is a call as the bridge would take it.
type mapCall struct {
	event    event.Event
	rejected *event.RejectError // why it would not
}

// parseCalls reads JSON values, one after the other: calls, arrays of calls, and
// bodies of batches. name is that of what was read, for people.
func parseCalls(text []byte, name, source string) ([]mapCall, error) {
	stamp := event.Stamp{Source: source, ReceivedAt: time.Now()}
	var calls []mapCall
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		var value json.RawMessage
		switch err := decoder.Decode(&value); {
		case errors.Is(err, io.EOF):
			return calls, nil
		case err != nil:
			line := 1 + bytes.Count(text[:offsetOf(err, len(text))], []byte("\n"))
			return nil, fmt.Errorf("%s:%d is not JSON: %w", name, line, err)
		}
		calls = append(calls, callsIn(gjson.ParseBytes(value), stamp)...)
	}
}

// offsetOf says where in a text of that size a JSON error is: at its end, if it
// was cut off.
func offsetOf(err error, size int) int {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return min(int(syntax.Offset), size)
	}
	return size
}

// callsIn returns the calls of one JSON value, stamped as the bridge's API does.
func callsIn(value gjson.Result, stamp event.Stamp) []mapCall {
	items := value
	if batch := value.Get("batch"); value.IsObject() && batch.IsArray() {
		items = batch
		stamp.SentAt = value.Get("sentAt").String()
		stamp.Context = []byte(value.Get("context").Raw)
		stamp.Integrations = []byte(value.Get("integrations").Raw)
	}
	if !items.IsArray() {
		return []mapCall{newMapCall(items, stamp)}
	}
	var calls []mapCall
	for _, item := range items.Array() {
		calls = append(calls, newMapCall(item, stamp))
	}
	return calls
}

func newMapCall(call gjson.Result, stamp event.Stamp) mapCall {
	e, err := event.New([]byte(call.Raw), stamp)
	var rejected *event.RejectError
	if errors.As(err, &rejected) {
		return mapCall{event: event.Event{Source: stamp.Source}, rejected: rejected}
	}
	return mapCall{event: e}
}
