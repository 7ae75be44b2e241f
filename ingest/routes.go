package ingest

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/verobridge/verobridge/internal/event"
)

// The channels that Segment knows a call's path by: what clients in people's
// hands send, and what servers send.
const (
	client = "client"
	server = "server"
)

// routes is the whole public API. Paths are canonical: see withCanonicalPath.
func (h *handler) routes() http.Handler {
	r := mux.NewRouter().SkipClean(true) // mux cleans a path by redirecting

	for _, c := range []struct {
		kind  event.Type
		short string
	}{
		{event.Track, "t"},
		{event.Identify, "i"},
		{event.Page, "p"},
		{event.Screen, "s"},
		{event.Group, "g"},
		{event.Alias, "a"},
	} {
		r.Handle("/"+string(c.kind), h.post(h.single(c.kind, server)))
		r.Handle("/"+c.short, h.post(h.single(c.kind, client)))
	}
	r.Handle("/batch", h.post(h.batch(server)))
	r.Handle("/import", h.post(h.batch(server)))
	r.Handle("/b", h.post(h.batch(client)))
	// SDKs that append /b to a host that was given with a path.
	r.Handle("/batch/b", h.post(h.batch(client)))
	r.Handle("/b/b", h.post(h.batch(client)))
	r.Handle("/m", h.post(discard))

	r.Handle("/pixel/{type}", h.get(h.pixel))
	r.Handle("/projects/{writeKey}/settings", h.get(h.settings))
	if h.bundle != nil {
		r.Handle("/analytics.js/v1/{writeKey}/analytics.min.js", h.get(h.analyticsScript))
		r.Handle("/analytics.js/v1/{writeKey}/{file}", h.get(h.analyticsChunk))
		r.Handle("/analytics-next/bundles/{file}", h.get(h.analyticsChunk))
	}

	r.Handle("/webhooks/vero/{writeKey}", h.post(h.veroWebhook))
	r.Handle("/openapi.yaml", h.get(openAPI))

	r.NotFoundHandler = h.answer(func(http.ResponseWriter, *http.Request) error { return errNotFound })
	return r
}

// endpoint serves one route. It writes its answer, or returns an error before
// it has written anything.
type endpoint func(w http.ResponseWriter, r *http.Request) error

func (h *handler) post(e endpoint) http.Handler { return h.only(e, http.MethodPost) }

func (h *handler) get(e endpoint) http.Handler { return h.only(e, http.MethodGet, http.MethodHead) }

// only refuses other methods. A GET on a path for POST is no success: clients
// that were redirected send one, and would believe that their batch arrived.
func (h *handler) only(e endpoint, methods ...string) http.Handler {
	allow := strings.Join(append(methods, http.MethodOptions), ", ")
	return h.answer(func(w http.ResponseWriter, r *http.Request) error {
		for _, m := range methods {
			if r.Method == m {
				return e(w, r)
			}
		}
		w.Header().Set("Allow", allow)
		return errMethod
	})
}

// discard takes the telemetry that SDKs send about themselves.
func discard(w http.ResponseWriter, _ *http.Request) error {
	succeed(w)
	return nil
}
