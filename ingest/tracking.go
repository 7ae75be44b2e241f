package ingest

import (
	"errors"
	"net/http"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// single accepts one call, of the type that its path names.
func (h *handler) single(kind event.Type, channel string) endpoint {
	return func(w http.ResponseWriter, r *http.Request) error {
		held := h.share(w)
		defer held.release()
		body, err := h.read(w, r, held)
		if err != nil {
			return err
		}
		text := string(body)
		call := gjson.Parse(text)
		keys := []string{basicKey(r), writeKey(call), queryKey(r)}
		from, err := h.keys.authenticate(r, keys...)
		if err != nil {
			return refused(err, keys, call)
		}
		stamp := h.stamp(r, from.source, channel)
		stamp.Type = kind
		if err := h.store(r.Context(), from, []item{{raw: text, stamp: stamp}}, held); err != nil {
			return refused(err, keys, call)
		}
		succeed(w)
		return nil
	}
}

// batch accepts many calls in one envelope, each of which says its own type.
func (h *handler) batch(channel string) endpoint {
	return func(w http.ResponseWriter, r *http.Request) error {
		held := h.share(w)
		defer held.release()
		body, err := h.read(w, r, held)
		if err != nil {
			return err
		}
		sent, err := openEnvelope(body)
		if err != nil {
			return err
		}
		keys := append(append([]string{basicKey(r), sent.writeKey}, sent.callKeys()...), queryKey(r))
		from, err := h.keys.authenticate(r, keys...)
		if err != nil {
			return refused(err, keys, sent.parsed()...)
		}
		stamp := h.stamp(r, from.source, channel)
		stamp.SentAt, stamp.Context, stamp.Integrations = sent.sentAt, sent.context, sent.integrations
		items := make([]item, len(sent.calls))
		for i, c := range sent.calls {
			items[i] = item{raw: c.raw, stamp: stamp}
			if c.writeKey != "" && c.writeKey != sent.writeKey {
				items[i].stamp.Source, items[i].refused = h.owner(r, c.writeKey, from.source)
			}
		}
		if err := h.store(r.Context(), from, items, held); err != nil {
			return refused(err, keys, sent.parsed()...)
		}
		succeed(w)
		return nil
	}
}

// owner returns the name of the source that a call's own write key belongs to.
// Where the key opens none, the call is refused alone and kept for the source
// of its batch.
func (h *handler) owner(r *http.Request, key string, of *Source) (string, *event.RejectError) {
	switch own, err := h.keys.authenticate(r, key); {
	case err == nil:
		return own.source.Name, nil
	case errors.Is(err, errOrigin):
		return of.Name, &event.RejectError{Reason: event.ReasonOrigin, Detail: errOrigin.message}
	case errors.Is(err, errDisabled):
		return of.Name, &event.RejectError{Reason: event.ReasonUnknownKey, Detail: errDisabled.message}
	default:
		return of.Name, &event.RejectError{Reason: event.ReasonUnknownKey, Detail: errUnknownKey.message}
	}
}

// envelope is the body of a batch request.
type envelope struct {
	writeKey, sentAt      string
	context, integrations []byte // JSON objects, or nil
	calls                 []batched
}

// batched is one call in an envelope.
type batched struct{ raw, writeKey string }

func openEnvelope(body []byte) (envelope, error) {
	var (
		sent  envelope
		batch gjson.Result
	)
	v := gjson.ParseBytes(body)
	if !v.IsObject() {
		return sent, errNoBatch
	}
	v.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "writeKey":
			sent.writeKey = value.String()
		case "sentAt":
			sent.sentAt = value.String()
		case "context":
			sent.context = objectOrNil(value)
		case "integrations":
			sent.integrations = objectOrNil(value)
		case "batch":
			batch = value
		}
		return true
	})
	if !batch.IsArray() {
		return sent, errNoBatch
	}
	batch.ForEach(func(_, call gjson.Result) bool {
		if call.Type != gjson.Null { // a hole
			sent.calls = append(sent.calls, batched{call.Raw, writeKey(call)})
		}
		return len(sent.calls) <= maxEvents
	})
	if len(sent.calls) > maxEvents {
		return sent, errTooMany
	}
	return sent, nil
}

// parsed returns the calls for reading single fields.
func (e envelope) parsed() []gjson.Result {
	calls := make([]gjson.Result, len(e.calls))
	for i, c := range e.calls {
		calls[i] = gjson.Parse(c.raw)
	}
	return calls
}

// callKeys returns the write keys that the calls carry themselves, each run of
// the same key once.
func (e envelope) callKeys() []string {
	var keys []string
	for _, c := range e.calls {
		if c.writeKey != "" && (len(keys) == 0 || keys[len(keys)-1] != c.writeKey) {
			keys = append(keys, c.writeKey)
		}
	}
	return keys
}

// writeKey returns the write key in a call or an envelope, or "".
func writeKey(v gjson.Result) string {
	if !v.IsObject() {
		return ""
	}
	return v.Get("writeKey").String()
}

func objectOrNil(v gjson.Result) []byte {
	if !v.IsObject() {
		return nil
	}
	return []byte(v.Raw)
}
