package ingest

import (
	"bytes"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"
	"github.com/tidwall/gjson"
)

// veroWebhook accepts what Vero posts itself: one event or an array of them.
// The write key in the address is all that Vero offers to tell friend from foe.
func (h *handler) veroWebhook(w http.ResponseWriter, r *http.Request) error {
	from, err := h.keys.authenticate(r, mux.Vars(r)["writeKey"])
	if err != nil {
		return err
	}
	if !from.source.Vero {
		return errNoVero
	}
	held := h.share(w)
	defer held.release()
	body, err := inflate(w, r, h.maxBody, held)
	if err != nil {
		return err
	}
	if body, err = lenient(unescaped(body)); err != nil {
		return err
	}
	hooks := gjson.ParseBytes(body)
	if !hooks.IsObject() && !hooks.IsArray() {
		return errNoWebhook
	}
	stamp := h.stamp(r, from.source, server)
	var items []item
	take := func(_, hook gjson.Result) bool {
		if hook.Type == gjson.Null { // a hole
			return true
		}
		taken := item{raw: hook.Raw, stamp: stamp}
		if hook.IsObject() {
			taken.original = hook.Raw
			if taken.raw, err = veroCall(hook.Raw); err != nil {
				return false
			}
		}
		items = append(items, taken)
		return len(items) <= maxEvents
	}
	if hooks.IsArray() {
		hooks.ForEach(take)
	} else {
		take(gjson.Result{}, hooks)
	}
	switch {
	case err != nil:
		return err
	case len(items) > maxEvents:
		return errTooMany
	}
	if err := h.store(r.Context(), from, items, held); err != nil {
		return err
	}
	succeed(w)
	return nil
}

// unescaped undoes percent-encoding: a consumer of Vero's webhooks is known to
// have needed it (webhookr-vero). JSON never starts with a percent sign.
func unescaped(body []byte) []byte {
	if !bytes.HasPrefix(body, []byte("%")) {
		return body
	}
	text, err := url.QueryUnescape(string(body))
	if err != nil {
		return body
	}
	return []byte(text)
}
