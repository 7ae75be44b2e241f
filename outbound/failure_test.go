package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// verdict writes an outcome as the tests compare it.
func verdict(o delivery.Outcome) string {
	status := string(o.Status())
	if o.Unavailable() {
		status = "unavailable"
	}
	return status + " " + string(o.Reason())
}

// TestJudgeStatus states the fate of every HTTP status.
func TestJudgeStatus(t *testing.T) {
	t.Parallel()
	var want [600]string
	fill := func(from, to int, verdict string) {
		for status := from; status <= to; status++ {
			want[status] = verdict
		}
	}
	fill(100, 199, "waiting server_error")
	fill(200, 299, "delivered delivered")
	fill(300, 399, "unavailable wrong_url")
	fill(400, 499, "dead bad_request")
	fill(401, 401, "unavailable credentials_refused")
	fill(403, 403, "unavailable credentials_refused")
	fill(408, 408, "waiting server_error")
	fill(425, 425, "waiting server_error")
	fill(429, 429, "unavailable throttled")
	fill(500, 599, "waiting server_error")
	for status := 100; status <= 599; status++ {
		call := delivery.Call{Status: status}
		o := judge(answer{status: status}, received, call)
		if got := verdict(o); got != want[status] {
			t.Errorf("%d: %s, want %s", status, got, want[status])
		}
		if len(o.Calls()) != 1 || o.Calls()[0].Status != status {
			t.Errorf("%d: the call is lost", status)
		}
		if delivered := o.Status() == delivery.StatusDelivered; delivered != (o.Err() == nil) {
			t.Errorf("%d: error %v", status, o.Err())
		}
	}
}

// TestJudgeSamePath states that a missing path is nobody's fault where all
// events go to the same one.
func TestJudgeSamePath(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		200: "delivered delivered", 400: "dead bad_request", 404: "unavailable wrong_url",
		405: "unavailable wrong_url", 410: "dead bad_request", 413: "dead bad_request",
	} {
		if got := verdict(judge(answer{status: status, samePath: true}, received)); got != want {
			t.Errorf("%d: %s, want %s", status, got, want)
		}
	}
}

func TestJudgeBody(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		body   string
		want   string
		err    string
	}{
		{200, `{"status":200,"message":"Success."}`, "delivered delivered", ""},
		{200, `{"status":401,"message":"Unauthorized"}`, "unavailable credentials_refused", "answered 401: Unauthorized"},
		{200, `{"status":"500"}`, "waiting server_error", `answered 500: {"status":"500"}`},
		{200, `{"status":400,"message":"No id"}`, "dead bad_request", "answered 400: No id"},
		{200, `{"status":"ok"}`, "delivered delivered", ""},
		{200, `{"status":4000}`, "delivered delivered", ""},
		{200, `[{"status":500}]`, "delivered delivered", ""},
		{200, `{"status":500`, "delivered delivered", ""}, // cut off
		{200, ``, "delivered delivered", ""},
		{500, `{"status":200}`, "waiting server_error", `answered 500: {"status":200}`},
		{400, `<html>no</html>`, "dead bad_request", "answered 400: <html>no</html>"},
		{400, `{"error":"no"}`, "dead bad_request", "answered 400: no"},
		{422, ``, "dead bad_request", "answered 422: Unprocessable Entity"},
		{599, ``, "waiting server_error", "answered 599"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, tt.body), func(t *testing.T) {
			t.Parallel()
			o := judge(answer{status: tt.status, body: []byte(tt.body)}, received)
			if got := verdict(o); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if tt.err != "" && (o.Err() == nil || o.Err().Error() != tt.err) {
				t.Errorf("error %v, want %s", o.Err(), tt.err)
			}
		})
	}
}

func TestJudgeRetryAfter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		header string
		want   string
		after  time.Duration
	}{
		{429, "", "unavailable throttled", 0},
		{429, "7", "unavailable throttled", 7 * time.Second},
		{429, " 7 ", "unavailable throttled", 7 * time.Second},
		{429, "-1", "unavailable throttled", 0},
		{429, "soon", "unavailable throttled", 0},
		{429, "86400", "unavailable throttled", maxRetryAfter},
		{429, "99999999999999999999", "unavailable throttled", 0},
		{429, "Sat, 06 Jun 2026 10:15:41 GMT", "unavailable throttled", 10 * time.Second},
		{429, "Sat, 06 Jun 2026 10:15:21 GMT", "unavailable throttled", 0},
		{429, "Sun, 06 Jun 2027 10:15:21 GMT", "unavailable throttled", maxRetryAfter},
		{503, "7", "unavailable throttled", 7 * time.Second},
		{503, "", "waiting server_error", 0},
		{500, "7", "waiting server_error", 7 * time.Second},
		{400, "7", "dead bad_request", 0},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, tt.header), func(t *testing.T) {
			t.Parallel()
			o := judge(answer{status: tt.status, retryAfter: tt.header}, received)
			if got := verdict(o); got != tt.want || o.After() != tt.after {
				t.Errorf("%s after %s, want %s after %s", got, o.After(), tt.want, tt.after)
			}
		})
	}
}

func TestJudgeSilence(t *testing.T) {
	t.Parallel()
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	read := func(err error) error { return &net.OpError{Op: "read", Net: "tcp", Err: err} }
	tests := map[string]struct {
		err     error
		written bool
		want    string
	}{
		"connection refused":        {dial(syscall.ECONNREFUSED), false, "unavailable unreachable"},
		"no such host":              {dial(&net.DNSError{Err: "no such host", IsNotFound: true}), false, "unavailable unreachable"},
		"no route":                  {dial(syscall.EHOSTUNREACH), false, "unavailable unreachable"},
		"dial timeout":              {dial(os.ErrDeadlineExceeded), false, "unavailable unreachable"},
		"bad certificate":           {errors.New("tls: failed to verify certificate"), false, "unavailable unreachable"},
		"broken while writing":      {syscall.EPIPE, false, "unavailable unreachable"},
		"timeout after the request": {os.ErrDeadlineExceeded, true, "waiting unreachable"},
		"deadline":                  {context.DeadlineExceeded, true, "waiting unreachable"},
		"reset after the request":   {read(syscall.ECONNRESET), true, "waiting unreachable"},
		"closed after the request":  {io.EOF, true, "waiting unreachable"},
		"stopping":                  {&url.Error{Op: "Post", Err: context.Canceled}, true, "unavailable stopping"},
		"stopping before":           {context.Canceled, false, "unavailable stopping"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := judge(answer{err: tt.err, written: tt.written}, received, delivery.Call{})
			if got := verdict(o); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if !errors.Is(o.Err(), tt.err) || len(o.Calls()) != 1 {
				t.Errorf("error %v, %d calls", o.Err(), len(o.Calls()))
			}
		})
	}
}

func TestSentencesOfReasons(t *testing.T) {
	t.Parallel()
	for _, o := range []delivery.Outcome{judge(answer{status: 302}, received), judge(answer{status: 401}, received)} {
		if !strings.Contains(o.Detail(), "check the") && !strings.Contains(o.Detail(), "check its") {
			t.Errorf("%q does not name the cure", o.Detail())
		}
	}
}
