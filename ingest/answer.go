package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"
)

// failure answers a whole request with something else than success.
type failure struct {
	status  int
	code    string        // stable, for programs
	message string        // for people, with the cure
	cause   error         // for our own log
	wait    time.Duration // until the client may send again, 0 for no advice
}

// Error implements error.
func (f *failure) Error() string {
	if f.cause != nil {
		return f.code + ": " + f.cause.Error()
	}
	return f.code + ": " + f.message
}

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

// Every failure there is. A body that is too large is a 400 as Segment's is,
// and not a 413, which some SDKs send again.
var (
	errNoKey      = &failure{status: http.StatusUnauthorized, code: "missing_write_key", message: "send a write key: as the user name of Basic auth or as writeKey in the body"}
	errUnknownKey = &failure{status: http.StatusUnauthorized, code: "unknown_write_key", message: "this write key belongs to no source; compare it with write_keys in the settings"}
	errNoVero     = &failure{status: http.StatusUnauthorized, code: "unknown_write_key", message: "this write key belongs to no source of type vero; use the write key of one in the webhook's address"}
	errDisabled   = &failure{status: http.StatusForbidden, code: "source_disabled", message: "the source of this write key is disabled in the settings"}
	errOrigin     = &failure{status: http.StatusForbidden, code: "origin_not_allowed", message: "pages of this origin may not use this write key; add it to the source's origins"}
	errTooLarge   = &failure{status: http.StatusBadRequest, code: "payload_too_large", message: "the body is larger than this server accepts; send smaller batches"}
	errTooMany    = &failure{status: http.StatusBadRequest, code: "too_many_events", message: fmt.Sprintf("the batch holds more than %d events; send smaller batches", maxEvents)}
	errGrown      = &failure{status: http.StatusBadRequest, code: "events_too_large", message: fmt.Sprintf("the events, each with the envelope's context and integrations, take more than %d times the largest body that this server accepts; send smaller batches or a smaller context", maxGrowth)}
	errTooDeep    = &failure{status: http.StatusBadRequest, code: "nested_too_deep", message: fmt.Sprintf("the JSON is nested more than %d levels deep", maxDepth)}
	errMalformed  = &failure{status: http.StatusBadRequest, code: "malformed_json", message: "the body is not valid JSON"}
	errNoBatch    = &failure{status: http.StatusBadRequest, code: "invalid_batch", message: "the body must be a JSON object with an array \"batch\""}
	errNoWebhook  = &failure{status: http.StatusBadRequest, code: "invalid_webhook", message: "the body must be a JSON object, or an array of objects"}
	errEncoding   = &failure{status: http.StatusBadRequest, code: "unsupported_encoding", message: "the Content-Encoding must be gzip or none"}
	errGzip       = &failure{status: http.StatusBadRequest, code: "malformed_gzip", message: "the body is not a whole gzip stream"}
	// A slow phone must not lose its events: some SDKs drop a batch on a 400 or
	// a 408, and all keep it on a 503.
	errSlow     = &failure{status: http.StatusServiceUnavailable, code: "body_too_slow", wait: time.Second, message: "the body did not arrive in time; send it again"}
	errUnread   = &failure{status: http.StatusBadRequest, code: "body_not_read", message: "the body ended early"}
	errNotFound = &failure{status: http.StatusNotFound, code: "not_found", message: "there is nothing at this path; calls go to /v1/batch"}
	errMethod   = &failure{status: http.StatusMethodNotAllowed, code: "method_not_allowed", message: "this path takes another method, see the Allow header"}
)

// errOverloaded is answered at once and cheaply: every SDK sends again.
var errOverloaded = &failure{
	status: http.StatusServiceUnavailable, code: "overloaded", wait: time.Second,
	message: "too many requests are being read; send this one again",
}

func notStored(cause error) error {
	return &failure{
		status: http.StatusServiceUnavailable, code: "not_stored", cause: cause, wait: time.Second,
		message: "the events could not be stored; send them again",
	}
}

func overRate(wait time.Duration) error {
	return &failure{
		status: http.StatusTooManyRequests, code: "rate_limited", wait: min(wait, maxRetryAfter),
		message: "this write key sends more events than the rate_limit of its source; send them again later",
	}
}

// succeed writes the one answer that all SDKs take for success.
func succeed(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"success":true}`)) // the client is gone: nobody to tell
}

// answer turns an endpoint into a handler.
func (h *handler) answer(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := e(w, r); err != nil {
			h.fail(w, r, err)
		}
	})
}

// fail writes an error in the form that SDKs can read: analytics-ruby wants
// error, analytics-python code and message, or it sends the batch again.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{status: http.StatusInternalServerError, code: "internal_error", message: "verobridge made a mistake", cause: err}
	}
	h.log.Log(r.Context(), levelOf(err), "request not accepted", "route", route(r), "error", err)
	var seen *seenRequest
	_ = errors.As(err, &seen) // nil where nothing was read
	h.remember(r, f, seen)
	body, err := json.Marshal(struct {
		Success bool   `json:"success"`
		Error   string `json:"error"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}{Error: f.message, Code: f.code, Message: f.message})
	if err != nil {
		panic(err) // strings always marshal
	}
	w.Header().Set("Content-Type", "application/json")
	if f.wait > 0 {
		seconds := strconv.Itoa(int(math.Ceil(f.wait.Seconds())))
		w.Header().Set("Retry-After", seconds)
		if f.status == http.StatusTooManyRequests {
			w.Header().Set("X-RateLimit-Reset", seconds)
		}
	}
	w.WriteHeader(f.status)
	_, _ = w.Write(body) // the client is gone: nobody to tell
}

// levelOf says how loud an error is to be logged: our own failures, which have a
// cause, are errors. What clients do would let anybody fill the log.
func levelOf(err error) slog.Level {
	var f *failure
	if errors.As(err, &f) && f.cause == nil {
		return slog.LevelDebug
	}
	return slog.LevelError
}

// route names where a request went, without the write key that a path may hold.
func route(r *http.Request) string {
	if matched := mux.CurrentRoute(r); matched != nil {
		if template, err := matched.GetPathTemplate(); err == nil {
			return template
		}
	}
	return "none"
}
