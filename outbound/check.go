package outbound

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/verobridge/verobridge/internal/doctor"
)

// nobody is the id of a person who is not there.
const nobody = "verobridge-check"

// Check asks Vero whether it takes the token, with a call that changes nothing: an
// edit of a person who is not there. It makes nobody (getvero/vero-ios, README).
// Vero has no call that only looks.
func (v *Vero) Check(ctx context.Context) []doctor.Finding {
	var body object
	body.text("id", nobody)
	body.raw("changes", "{}")
	return v.client.check(ctx, v.Name(), "auth_token", v.call(newRequest(http.MethodPut, pathUsersEdit, &body)))
}

// Check asks the endpoint whether it takes the write key, with a batch of no
// events.
func (s *Segment) Check(ctx context.Context) []doctor.Finding {
	return s.client.check(ctx, s.name, "write_key", call{
		method:   http.MethodPost,
		url:      s.url,
		endpoint: "batch",
		header:   s.header,
		body:     segmentBatch(nil, s.client.now()),
	})
}

// datePrecision is that of the header Date (RFC 9110, section 5.6.7).
const datePrecision = time.Second

// check makes a call that changes nothing and says what its answer tells about the
// destination's address, its credentials and its clock. secret is the setting of
// the credentials.
func (c *client) check(ctx context.Context, name, secret string, r call) []doctor.Finding {
	f := doctor.In("destination " + name)
	asked := time.Now()
	a := c.roundTrip(ctx, r)
	answered := time.Now()
	var private *PrivateAddressError
	switch status := a.trueStatus(); {
	case errors.As(a.err, &private):
		f.Add(doctor.Error, "correct its url, or set allow_private: true if that is meant", "its url %v", private)
	case a.err != nil:
		f.Add(doctor.Error, "check its url, and that this machine's firewall, proxy and DNS let it through; events are kept meanwhile", "it does not answer: %v", a.err)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		f.Add(doctor.Error, "copy it anew from the destination's settings; events are kept until it is taken", "its %s is refused: %v", secret, a.refusal(status))
	case status >= 300 && status < 400:
		f.Add(doctor.Error, "set its url to where it leads", "its url answers with a redirect, which no call follows: %v", a.refusal(status))
	case status >= 200 && status < 300:
		f.OK("it answers in %s and takes the %s", answered.Sub(asked).Round(time.Millisecond), secret)
	case status >= 500, a.throttled():
		f.Add(doctor.Warning, "wait; events are kept until it takes calls", "it answers, but takes no calls now: %v", a.refusal(status))
	default:
		f.Add(doctor.Warning, "compare its url with its documentation; the first event will tell about the "+secret,
			"it answers, but does not say whether it takes the %s: %v", secret, a.refusal(status))
	}
	if at, err := http.ParseTime(a.date); err == nil {
		f.Clock("its servers", at, asked, answered, datePrecision)
	}
	return f.All()
}
