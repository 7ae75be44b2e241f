package ingest

import "net/http"

// allowOrigin lets pages of any origin read the answer: the write key says who
// may send, and a source may narrow its origins. The origin is echoed, since
// "*" fails with credentials, which sendBeacon always and analytics-next on
// request sends along.
func allowOrigin(header http.Header, r *http.Request) {
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Credentials", "true")
	header.Set("Access-Control-Expose-Headers", "Retry-After, X-RateLimit-Reset")
}

// preflight answers the question that a browser asks before it sends: without
// a write key, on every path. X-Retry-Count must be named, or the SDK's first
// try gets through and none of its retries.
func preflight(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Add("Vary", "Access-Control-Request-Headers")
	headers := "Authorization, Content-Type, X-Retry-Count"
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		headers += ", " + asked
	}
	header.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	header.Set("Access-Control-Allow-Headers", headers)
	header.Set("Access-Control-Max-Age", "7200")
	w.WriteHeader(http.StatusNoContent)
}
