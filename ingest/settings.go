package ingest

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gorilla/mux"
)

// settings serves the document that browser and mobile SDKs fetch before they
// send. Segment's own would send them back to Segment: the apiHost in it wins
// over the host that the app configured. An unknown key is not found, so that
// load() fails and the developer notices.
func (h *handler) settings(w http.ResponseWriter, r *http.Request) error {
	key := mux.Vars(r)["writeKey"]
	if h.keys.find(key) == nil {
		return errNotFound
	}
	scheme, host := h.reachedAt(r)
	body, err := json.Marshal(settingsFor(key, scheme, host+"/v1"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the client is gone: nobody to tell
	return nil
}

// reachedAt says under which address the SDK reaches us. Forwarding headers are
// not believed. But a page that came over https can call nothing else, so that
// its origin tells what a proxy in front of us hides.
func (h *handler) reachedAt(r *http.Request) (scheme, host string) {
	if h.public != nil {
		return h.public.Scheme, h.public.Host + strings.TrimRight(h.public.Path, "/")
	}
	if r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://") {
		return "https", r.Host
	}
	return "http", r.Host
}

// settingsFor has the shape of Segment's document. No destination but
// Segment.io may appear in it, or the browser SDK loads code for it. A metrics
// sample rate above 0 would send telemetry.
func settingsFor(key, scheme, apiHost string) map[string]any {
	open := object{"__default": object{"enabled": true, "integrations": object{}}}
	return object{
		"integrations": object{
			"Segment.io": object{
				"apiKey":                key,
				"apiHost":               apiHost,
				"protocol":              scheme,
				"unbundledIntegrations": []string{},
				"addBundledMetadata":    true,
				"maybeBundledConfigIds": object{},
				"versionSettings":       object{"version": "4.4.7", "componentTypes": []string{"browser"}},
			},
		},
		"plan":                      object{"track": open, "identify": open, "group": open},
		"edgeFunction":              object{},
		"analyticsNextEnabled":      true,
		"middlewareSettings":        object{},
		"enabledMiddleware":         object{},
		"metrics":                   object{"sampleRate": 0, "host": apiHost},
		"legacyVideoPluginsEnabled": false,
		"remotePlugins":             []string{},
	}
}
