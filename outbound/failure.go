package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/delivery"
)

// maxRetryAfter bounds how long an answer can make us wait. A destination that
// has recovered should not stay paused by a header of yesterday.
const maxRetryAfter = 10 * time.Minute

// answer is what came back for one request.
type answer struct {
	status     int    // 0: no answer
	retryAfter string // the header, as it came
	body       []byte // at most its first kilobyte, secrets redacted
	err        error  // why there is no answer
	written    bool   // the whole request went out before err
	// samePath says that the path of the request is there for every event, so
	// that its absence is no event's fault.
	samePath bool
}

// judge decides what an answer means for the event, or for the destination as a
// whole. calls are the requests made for the event so far; now is needed for a
// Retry-After that is a date. It is the only place that does so.
func judge(a answer, now time.Time, calls ...delivery.Call) delivery.Outcome {
	if a.err != nil {
		return judgeSilence(a, calls)
	}
	status := a.trueStatus()
	err := a.refusal(status)
	after := retryAfter(a.retryAfter, now)
	switch {
	case status >= 200 && status < 300:
		return delivery.Delivered(calls...)
	case status >= 300 && status < 400,
		a.samePath && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed):
		return delivery.Unavailable(delivery.ReasonWrongURL, err, after, calls...)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return delivery.Unavailable(delivery.ReasonRefused, err, after, calls...)
	case status == http.StatusTooManyRequests,
		status == http.StatusServiceUnavailable && a.retryAfter != "":
		return delivery.Unavailable(delivery.ReasonThrottled, err, after, calls...)
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return delivery.Retry(delivery.ReasonServerError, err, after, calls...)
	case status >= 400 && status < 500:
		return delivery.Dead(delivery.ReasonBadRequest, err, calls...)
	default:
		return delivery.Retry(delivery.ReasonServerError, err, after, calls...)
	}
}

// judgeSilence decides for a request that got no answer. A request that went
// out may have been heard, so only its event is in doubt, and the same bytes
// again are harmless. One that did not go out says that nobody is there.
func judgeSilence(a answer, calls []delivery.Call) delivery.Outcome {
	var private *PrivateAddressError
	switch {
	case errors.As(a.err, &private):
		return delivery.Unavailable(delivery.ReasonPrivateAddress, private, 0, calls...)
	case errors.Is(a.err, context.Canceled):
		return delivery.Unavailable(delivery.ReasonStopping, a.err, 0, calls...)
	case a.written:
		return delivery.Retry(delivery.ReasonUnreachable, a.err, 0, calls...)
	default:
		return delivery.Unavailable(delivery.ReasonUnreachable, a.err, 0, calls...)
	}
}

// trueStatus returns the HTTP status, or the status in the body where the
// former claims success and the latter an error: clients of Vero have met both.
func (a answer) trueStatus() int {
	if a.status >= 200 && a.status < 300 && gjson.ValidBytes(a.body) {
		if inBody := gjson.GetBytes(a.body, "status").Int(); inBody >= 400 && inBody < 600 {
			return int(inBody)
		}
	}
	return a.status
}

// refusal says in words what was answered.
func (a answer) refusal(status int) error {
	said := strings.TrimSpace(string(a.body))
	for _, field := range []string{"message", "error"} {
		if v := gjson.GetBytes(a.body, field); v.Type == gjson.String && gjson.ValidBytes(a.body) {
			said = v.Str
			break
		}
	}
	if said == "" {
		said = http.StatusText(status)
	}
	if said == "" {
		return fmt.Errorf("answered %d", status)
	}
	return fmt.Errorf("answered %d: %s", status, said)
}

// retryAfter reads both forms of the Retry-After header (RFC 9110, section
// 10.2.3): seconds and a date. It returns 0 for none and for the past.
func retryAfter(header string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseInt(strings.TrimSpace(header), 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
