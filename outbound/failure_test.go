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

// fates is the fate of every HTTP status of a call that may be repeated at any
// time.
func fates() (table [600]string) {
	span := func(verdict string, from, to int) {
		for status := from; status <= to; status++ {
			table[status] = verdict
		}
	}
	each := func(verdict string, statuses ...int) {
		for _, status := range statuses {
			table[status] = verdict
		}
	}
	span("waiting server_error", 100, 199)
	span("delivered delivered", 200, 299)
	span("unavailable wrong_url", 300, 399)
	span("dead bad_request", 400, 499)
	span("waiting server_error", 500, 599)
	each("unavailable credentials_refused", 401, 402, 403, 407, 511)
	each("unavailable throttled", 429)
	each("waiting server_error", 408, 421, 425, 460)
	return table
}

// TestJudgeStatus states the fate of every HTTP status in each situation that
// makes a difference.
func TestJudgeStatus(t *testing.T) {
	t.Parallel()
	const window = 2 * time.Minute
	for name, situation := range map[string]struct {
		answer answer
		change func(table *[600]string)
	}{
		"repeatable at any time": {answer{}, func(*[600]string) {}},
		// What is missing is missing for every event.
		"path that must be there": {answer{samePath: true}, func(table *[600]string) {
			table[404], table[405] = "unavailable wrong_url", "unavailable wrong_url"
		}},
		// A gateway that waited in vain knows no more than we would.
		"repeatable for a while": {answer{window: window}, func(table *[600]string) {
			table[504] = "waiting unanswered"
		}},
		// Whatever is not final leaves the event in doubt.
		"half done": {answer{window: window, half: true}, func(table *[600]string) {
			for status, verdict := range table {
				if strings.HasPrefix(verdict, "waiting") || strings.HasPrefix(verdict, "unavailable") {
					table[status] = "waiting unanswered"
				}
			}
		}},
		"half done, to be repeated": {answer{half: true}, func(*[600]string) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := fates()
			situation.change(&want)
			for status := 100; status <= 599; status++ {
				a := situation.answer
				a.status = status
				o := judge(a, received, delivery.Call{Status: status})
				if got := verdict(o); got != want[status] {
					t.Errorf("%d: %s, want %s", status, got, want[status])
				}
				if len(o.Calls()) != 1 || o.Calls()[0].Status != status {
					t.Errorf("%d: the call is lost", status)
				}
				if delivered := o.Status() == delivery.StatusDelivered; delivered != (o.Err() == nil) {
					t.Errorf("%d: error %v", status, o.Err())
				}
				if inDoubt := o.Reason() == delivery.ReasonUnanswered; inDoubt != (o.Doubt() == window) {
					t.Errorf("%d: in doubt for %s", status, o.Doubt())
				}
			}
		})
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
	const (
		gone     = "unavailable unreachable"
		stopping = "unavailable stopping"
		again    = "waiting unreachable"
		doubt    = "waiting unanswered"
	)
	tests := map[string]struct {
		err     error
		written bool
		// The fates of a call that may be repeated at any time, of one that may for
		// a while, and of one that comes after such a call.
		any, while, half string
	}{
		"connection refused":        {dial(syscall.ECONNREFUSED), false, gone, gone, doubt},
		"no such host":              {dial(&net.DNSError{Err: "no such host", IsNotFound: true}), false, gone, gone, doubt},
		"no route":                  {dial(syscall.EHOSTUNREACH), false, gone, gone, doubt},
		"dial timeout":              {dial(os.ErrDeadlineExceeded), false, gone, gone, doubt},
		"private address":           {dial(&PrivateAddressError{"10.0.0.1"}), false, "unavailable private_address", "unavailable private_address", doubt},
		"bad certificate":           {errors.New("tls: failed to verify certificate"), false, gone, gone, doubt},
		"broken while writing":      {syscall.EPIPE, false, gone, gone, doubt},
		"timeout after the request": {os.ErrDeadlineExceeded, true, again, doubt, doubt},
		"deadline":                  {context.DeadlineExceeded, true, again, doubt, doubt},
		"reset after the request":   {read(syscall.ECONNRESET), true, again, doubt, doubt},
		"closed after the request":  {io.EOF, true, again, doubt, doubt},
		"stopping":                  {&url.Error{Op: "Post", Err: context.Canceled}, true, stopping, doubt, doubt},
		"stopping before":           {context.Canceled, false, stopping, stopping, doubt},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, situation := range []struct {
				answer answer
				want   string
			}{
				{answer{}, tt.any},
				{answer{window: time.Minute}, tt.while},
				{answer{window: time.Minute, half: true}, tt.half},
				{answer{half: true}, tt.any},
			} {
				a := situation.answer
				a.err, a.written = tt.err, tt.written
				o := judge(a, received, delivery.Call{})
				if got := verdict(o); got != situation.want {
					t.Errorf("%+v: %s, want %s", a, got, situation.want)
				}
				if !errors.Is(o.Err(), tt.err) || len(o.Calls()) != 1 {
					t.Errorf("%+v: error %v, %d calls", a, o.Err(), len(o.Calls()))
				}
				if o.Doubt() > 0 != (o.Reason() == delivery.ReasonUnanswered) {
					t.Errorf("%+v: in doubt for %s", a, o.Doubt())
				}
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
