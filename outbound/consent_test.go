package outbound

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// The rows follow Segment's table of what flows
// (segment-docs, consent-in-segment-connections).
func TestConsent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		consent     Consent
		context     string
		wantAllowed bool
	}{
		{"nothing is required", Consent{}, `{"consent":{"categoryPreferences":{"ad":false}}}`, true},
		{"no consent object", Consent{Required: []string{"ad"}}, `{}`, true},
		{"no consent object, denied", Consent{Required: []string{"ad"}, Unknown: ConsentDeny}, `{}`, false},
		{"empty consent object", Consent{Required: []string{"ad"}}, `{"consent":{}}`, true},
		{"empty consent object, denied", Consent{Required: []string{"ad"}, Unknown: ConsentDeny}, `{"consent":{}}`, false},
		{"empty preferences", Consent{Required: []string{"ad"}}, `{"consent":{"categoryPreferences":{}}}`, false},
		{"given", Consent{Required: []string{"ad"}, Unknown: ConsentDeny}, `{"consent":{"categoryPreferences":{"ad":true,"other":false}}}`, true},
		{"refused", Consent{Required: []string{"ad"}}, `{"consent":{"categoryPreferences":{"ad":false,"other":true}}}`, false},
		{"not asked", Consent{Required: []string{"ad"}}, `{"consent":{"categoryPreferences":{"other":true}}}`, false},
		{"two of two", Consent{Required: []string{"ad", "analytics"}}, `{"consent":{"categoryPreferences":{"ad":true,"analytics":true}}}`, true},
		{"one of two", Consent{Required: []string{"ad", "analytics"}}, `{"consent":{"categoryPreferences":{"ad":true,"analytics":false}}}`, false},
		{"a word is no consent", Consent{Required: []string{"ad"}}, `{"consent":{"categoryPreferences":{"ad":"true"}}}`, false},
		{"a name with a dot", Consent{Required: []string{"a.d"}}, `{"consent":{"categoryPreferences":{"a.d":true,"a":{"d":false}}}}`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			t.Cleanup(web.Close)
			vero := newTestMapping(t, VeroOptions{Consent: test.consent})
			relay, err := NewSegment(SegmentOptions{Name: "relay", URL: web.URL, AllowPrivate: true, WriteKey: "k", Consent: test.consent})
			if err != nil {
				t.Fatal(err)
			}
			e := accept(t, `{"type":"track","userId":"1","event":"Ping","context":`+test.context+`}`)
			plan := vero.plan(e)
			if got := len(plan.Requests) == 1; got != test.wantAllowed || !got && plan.Reason != delivery.ReasonConsent {
				t.Errorf("to Vero: sent is %v (%s), want %v", got, plan.Reason, test.wantAllowed)
			}
			outcome := relay.Deliver(t.Context(), []event.Event{e})[0]
			if got := outcome.Status() == delivery.StatusDelivered; got != test.wantAllowed || !got && outcome.Reason() != delivery.ReasonConsent {
				t.Errorf("to the relay: %s (%s), want delivered %v", outcome.Status(), outcome.Reason(), test.wantAllowed)
			}
		})
	}
}

// Who has withdrawn consent can still be unsubscribed and deleted; and consent
// is asked before the integrations object.
func TestConsentIsNotNeededToLeave(t *testing.T) {
	t.Parallel()
	m := newTestMapping(t, VeroOptions{Consent: Consent{Required: []string{"ad"}}, Mapping: Mapping{DeleteEvent: "Forget Me"}})
	for name, want := range map[string]string{
		"Unsubscribe": "POST users/unsubscribe\n" + `{"id":"1"}` + "\n",
		"Forget Me":   "POST users/delete\n" + `{"id":"1"}` + "\n",
		"Resubscribe": "skipped no_consent\n",
		"Ping":        "skipped no_consent\n",
	} {
		call := `{"type":"track","userId":"1","event":"` + name + `","context":{"consent":{"categoryPreferences":{"ad":false}}}`
		if got := render(m.plan(accept(t, call+"}"))); got != want {
			t.Errorf("%s: got %swant %s", name, got, want)
		}
		if name != "Ping" {
			continue
		}
		if got := render(m.plan(accept(t, call+`,"integrations":{"All":false}}`))); got != want {
			t.Errorf("%s, switched off too: got %swant %s", name, got, want)
		}
	}
}
