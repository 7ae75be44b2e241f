package ingest

import (
	"net/http"
	"strings"
)

// canonical returns a path without empty segments and without the leading v1:
// analytics-java posts to /v1/import/, analytics-go with a slash at the end of
// its Endpoint to //v1/batch, and some configurations leave out the /v1.
func canonical(path string) string {
	segments := strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
	if len(segments) > 0 && segments[0] == "v1" {
		segments = segments[1:]
	}
	return "/" + strings.Join(segments, "/")
}

// withCanonicalPath returns the request as the router should see it.
func withCanonicalPath(r *http.Request) *http.Request {
	path := canonical(r.URL.Path)
	if path == r.URL.Path {
		return r
	}
	routed := *r
	address := *r.URL
	address.Path, address.RawPath = path, ""
	routed.URL = &address
	return &routed
}
