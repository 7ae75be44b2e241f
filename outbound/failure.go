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

// statusSegmentTransient is what Segment answers to a request that is to be
// repeated (analytics-java, AnalyticsClient).
const statusSegmentTransient = 460

// answer is what came back for one request.
type answer struct {
	status     int    // 0: no answer
	retryAfter string // the header, as it came
	date       string // the header, as it came
	body       []byte // at most its first kilobyte, secrets redacted
	err        error  // why there is no answer
	written    bool   // the whole request went out before err
	// samePath says that the path of the request is there for every event, so
	// that its absence is no event's fault.
	samePath bool
	// window is for how long from now on it is harmless to repeat the event's
	// calls that add something, 0 where that is so at any time.
	window time.Duration
	// half says that such a call was made before this one and succeeded.
	half bool
}

// judge decides what an answer means for the event, or for the destination as a
// whole. calls are the requests made for the event so far; now is needed for a
// Retry-After that is a date. It is the only place that does so.
func judge(a answer, now time.Time, calls ...delivery.Call) delivery.Outcome {
	switch {
	case a.half:
		return judgeHalf(a, now, calls)
	case a.err != nil:
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
	case status == http.StatusUnauthorized, status == http.StatusPaymentRequired, status == http.StatusForbidden,
		status == http.StatusProxyAuthRequired, status == http.StatusNetworkAuthenticationRequired:
		return delivery.Unavailable(delivery.ReasonRefused, err, after, calls...)
	case a.throttled():
		return delivery.Unavailable(delivery.ReasonThrottled, err, after, calls...)
	case status == http.StatusRequestTimeout, status == http.StatusMisdirectedRequest,
		status == http.StatusTooEarly, status == statusSegmentTransient:
		return delivery.Retry(delivery.ReasonServerError, err, after, calls...)
	case status >= 400 && status < 500:
		return delivery.Dead(delivery.ReasonBadRequest, err, calls...)
	case status == http.StatusGatewayTimeout && a.window > 0:
		return delivery.Unanswered(err, a.window, calls...)
	default:
		return delivery.Retry(delivery.ReasonServerError, err, after, calls...)
	}
}

// judgeSilence decides for a request that got no answer. A request that went
// out may have been heard, so only its event is in doubt, and the same bytes
// again are harmless, at least for a while. One that did not go out says that
// nobody is there.
func judgeSilence(a answer, calls []delivery.Call) delivery.Outcome {
	var private *PrivateAddressError
	switch {
	case errors.As(a.err, &private):
		return delivery.Unavailable(delivery.ReasonPrivateAddress, a.err, 0, calls...)
	case a.written && a.window > 0:
		return delivery.Unanswered(a.err, a.window, calls...)
	case errors.Is(a.err, context.Canceled):
		return delivery.Unavailable(delivery.ReasonStopping, a.err, 0, calls...)
	case a.written:
		return delivery.Retry(delivery.ReasonUnreachable, a.err, 0, calls...)
	default:
		return delivery.Unavailable(delivery.ReasonUnreachable, a.err, 0, calls...)
	}
}

// judgeHalf decides for an event of which a call had its effect before this one
// failed. It is tried again as a whole, but only while that does not repeat the
// effect. Whether the destination is at fault, the calls of other events show.
func judgeHalf(a answer, now time.Time, calls []delivery.Call) delivery.Outcome {
	a.half = false
	o := judge(a, now, calls...)
	switch {
	case o.Status() == delivery.StatusDead:
		return delivery.Dead(o.Reason(), fmt.Errorf("an earlier call of the event succeeded, and to send it again repeats that one; this one: %w", o.Err()), calls...)
	case o.Final() || a.window == 0:
		return o
	}
	return delivery.Unanswered(fmt.Errorf("an earlier call of the event succeeded, this one: %w", o.Err()), a.window, calls...)
}

// throttled says whether the answer asks for fewer calls.
func (a answer) throttled() bool {
	status := a.trueStatus()
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable && a.retryAfter != ""
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
