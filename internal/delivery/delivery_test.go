package delivery_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

func TestOutcomes(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for name, test := range map[string]struct {
		outcome                   delivery.Outcome
		status                    delivery.Status
		final, unavailable, tried bool
	}{
		"delivered":   {delivery.Delivered(), delivery.StatusDelivered, true, false, true},
		"skipped":     {delivery.Skipped(delivery.ReasonNoIdentity), delivery.StatusSkipped, true, false, true},
		"dead":        {delivery.Dead(delivery.ReasonBadRequest, cause), delivery.StatusDead, true, false, true},
		"retry":       {delivery.Retry(delivery.ReasonServerError, cause, time.Second), delivery.StatusWaiting, false, false, true},
		"unanswered":  {delivery.Unanswered(cause, time.Minute), delivery.StatusWaiting, false, false, true},
		"ambiguous":   {delivery.Ambiguous(cause), delivery.StatusAmbiguous, true, false, true},
		"aside":       {delivery.Aside(delivery.ReasonIdentities, cause), delivery.StatusWaiting, false, false, true},
		"held":        {delivery.Held(delivery.ReasonHeld), delivery.StatusHeld, true, false, true},
		"behind":      {delivery.Behind(), delivery.StatusWaiting, false, false, false},
		"unavailable": {delivery.Unavailable(delivery.ReasonRefused, cause, 0), delivery.StatusWaiting, false, true, true},
	} {
		o := test.outcome
		if !o.Valid() || o.Status() != test.status || o.Final() != test.final || o.Unavailable() != test.unavailable || o.Tried() != test.tried {
			t.Errorf("%s: valid %t, status %s, final %t, unavailable %t, tried %t", name, o.Valid(), o.Status(), o.Final(), o.Unavailable(), o.Tried())
		}
		if o.Reason().Sentence() == string(o.Reason()) && o.Reason() != delivery.ReasonDelivered {
			t.Errorf("%s: reason %s has no sentence", name, o.Reason())
		}
		if o.Err() != nil && !strings.HasSuffix(o.Detail(), ": cause") {
			t.Errorf("%s: detail %q does not tell the cause", name, o.Detail())
		}
	}
	if (delivery.Outcome{}).Valid() {
		t.Error("the zero outcome is valid")
	}
}

func TestReportOf(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 2000)
	e := event.Event{
		ID: "m-1", Type: event.Track, Source: "app", ReceivedAt: time.Unix(1, 0).UTC(),
		Body: []byte(`{"event":"Tested","userId":"` + long + `","anonymousId":"a1"}`),
	}
	now := time.Unix(2, 0)
	r := delivery.ReportOf(e, "vero", delivery.Delivered(), 3, now)
	if r.Event != "Tested" || r.AnonymousID != "a1" || r.Attempts != 3 || !r.SettledAt.Equal(now) || r.Destination != "vero" {
		t.Errorf("report %+v", r)
	}
	if len(r.UserID) != 1024 || !strings.HasPrefix(long, r.UserID) {
		t.Errorf("a user id of %d bytes became one of %d, want its first 1024", len(long), len(r.UserID))
	}
	for _, o := range []delivery.Outcome{delivery.Behind(), delivery.Held(delivery.ReasonHeld)} {
		if r := delivery.ReportOf(e, "vero", o, 0, now); !r.SettledAt.IsZero() {
			t.Errorf("an event that is %s was settled at %s", o.Status(), r.SettledAt)
		}
	}
	anonymous := event.Event{Body: []byte(`{"anonymousId":"a1"}`)}
	if r := delivery.ReportOf(anonymous, "vero", delivery.Delivered().About("u1"), 1, now); r.UserID != "u1" || r.AnonymousID != "a1" {
		t.Errorf("the report of an anonymous event about u1: %+v", r)
	}
	if r := delivery.ReportOf(e, "vero", delivery.Skipped(delivery.ReasonSuppressed), 0, now); r.UserID != "" || r.AnonymousID != "" {
		t.Errorf("the report of an erased person names them: %+v", r)
	}
}
