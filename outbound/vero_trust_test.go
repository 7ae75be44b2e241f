package outbound

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// browserMapping maps events of the source app as those of a browser.
func browserMapping(events ...string) mapping {
	return newMapping(VeroOptions{Name: "vero", Browsers: map[string]Browser{"app": {Events: events}}})
}

// What is left of a browser's event: the requests that go out, or why none
// does.
func TestBrowserPlan(t *testing.T) {
	t.Parallel()
	const at = `"messageId":"m","timestamp":"2026-06-06T10:15:30Z"`
	signedUp := func(data string) string {
		return `events/track {"identity":{"id":"7"},"event_name":"Signed up","data":{` + data + `"segment_message_id":"m"},"extras":{"source":"segment","created_at":"2026-06-06T10:15:30+0000"}}`
	}
	for name, test := range map[string]struct {
		call   string
		want   string
		reason delivery.Reason
	}{
		"identify":                   {`{"type":"identify","userId":"7","traits":{"plan":"pro"},` + at + `}`, `users/track {"id":"7","data":{"plan":"pro"}}`, ""},
		"identify with an address":   {`{"type":"identify","userId":"7","traits":{"email":"a@example.com","plan":"pro"},` + at + `}`, `users/track {"id":"7","data":{"plan":"pro"}}`, delivery.ReasonBrowserWithheld},
		"address in the context":     {`{"type":"identify","userId":"7","traits":{"plan":"pro"},"context":{"traits":{"email":"a@example.com"}},` + at + `}`, `users/track {"id":"7","data":{"plan":"pro"}}`, delivery.ReasonBrowserWithheld},
		"address in other cases":     {`{"type":"identify","userId":"7","traits":{"Email":"a@example.com"," EMAIL ":"a@example.com","\u0065mail":"a@example.com"},` + at + `}`, `users/track {"id":"7","data":{}}`, delivery.ReasonBrowserWithheld},
		"phone numbers":              {`{"type":"identify","userId":"7","traits":{"phone":"+1","Phone_Number":"+1"},` + at + `}`, `users/track {"id":"7","data":{}}`, delivery.ReasonBrowserWithheld},
		"somebody else's phone":      {`{"type":"identify","userId":"7","context":{"device":{"token":"t","type":"ios"}},` + at + `}`, `users/track {"id":"7","data":{}}`, delivery.ReasonBrowserWithheld},
		"channels as a trait":        {`{"type":"identify","userId":"7","traits":{"channels":[{"type":"push","address":"t"}]},` + at + `}`, `users/track {"id":"7","data":{}}`, delivery.ReasonBrowserWithheld},
		"userId that is an address":  {`{"type":"identify","userId":"a@example.com",` + at + `}`, ``, delivery.ReasonBrowserAddress},
		"userId that holds one":      {`{"type":"track","event":"Signed Up","userId":"Ann <a@example.com>",` + at + `}`, ``, delivery.ReasonBrowserAddress},
		"address and no userId":      {`{"type":"track","event":"Signed Up","anonymousId":"x","context":{"traits":{"email":"a@example.com"}},` + at + `}`, ``, delivery.ReasonBrowserAddress},
		"identify by address alone":  {`{"type":"identify","anonymousId":"x","traits":{"email":"a@example.com"},` + at + `}`, ``, delivery.ReasonBrowserAddress},
		"nobody":                     {`{"type":"track","event":"Signed Up","anonymousId":"x",` + at + `}`, ``, delivery.ReasonNoIdentity},
		"group":                      {`{"type":"group","userId":"7","groupId":"g","context":{"traits":{"email":"a@example.com"}},` + at + `}`, `users/track {"id":"7","data":{"group":{"id":"g"}}}`, delivery.ReasonBrowserWithheld},
		"listed event":               {`{"type":"track","event":"Signed Up","userId":"7",` + at + `}`, signedUp(``), ""},
		"listed event, address":      {`{"type":"track","event":"Signed Up","userId":"7","context":{"traits":{"email":"a@example.com"}},` + at + `}`, signedUp(``), delivery.ReasonBrowserWithheld},
		"address as a property":      {`{"type":"track","event":"Signed Up","userId":"7","properties":{"plan":"pro","email":"a@example.com"},` + at + `}`, signedUp(`"plan":"pro",`), delivery.ReasonBrowserWithheld},
		"address deep inside":        {`{"type":"track","event":"Signed Up","userId":"7","properties":{"friends":[{"name":"Ann","Email":"a@example.com","n":1.10},[{"phone":"+1"}],7]},` + at + `}`, signedUp(`"friends":[{"name":"Ann","n":1.10},[{}],7],`), delivery.ReasonBrowserWithheld},
		"address of a group":         {`{"type":"group","userId":"7","groupId":"g","traits":{"name":"Acme","email":"a@example.com"},` + at + `}`, `users/track {"id":"7","data":{"group":{"id":"g","name":"Acme"}}}`, delivery.ReasonBrowserWithheld},
		"event that is not listed":   {`{"type":"track","event":"Order Completed","userId":"7",` + at + `}`, ``, delivery.ReasonBrowserEvent},
		"listed in another case":     {`{"type":"track","event":"signed up","userId":"7",` + at + `}`, ``, delivery.ReasonBrowserEvent},
		"the name that Vero gets":    {`{"type":"track","event":"Signed up","userId":"7",` + at + `}`, ``, delivery.ReasonBrowserEvent},
		"page that is listed":        {`{"type":"page","name":"Home","userId":"7",` + at + `}`, `events/track {"identity":{"id":"7"},"event_name":"Viewed page","data":{"name":"Home","segment_message_id":"m"},"extras":{"source":"segment","created_at":"2026-06-06T10:15:30+0000"}}`, ""},
		"page named like an event":   {`{"type":"screen","name":"Signed Up","userId":"7",` + at + `}`, ``, delivery.ReasonBrowserEvent},
		"alias":                      {`{"type":"alias","userId":"7","previousId":"8",` + at + `}`, ``, delivery.ReasonBrowserCall},
		"unsubscription, listed":     {`{"type":"track","event":"Unsubscribe","userId":"7",` + at + `}`, ``, delivery.ReasonBrowserCall},
		"unsubscription of others":   {`{"type":"track","event":"Unsubscribed","anonymousId":"x","properties":{"id":"8"},` + at + `}`, ``, delivery.ReasonBrowserCall},
		"resubscription":             {`{"type":"track","event":"Resubscribe","userId":"7",` + at + `}`, ``, delivery.ReasonBrowserCall},
		"tags":                       {`{"type":"track","event":"Signed Up","userId":"7","integrations":{"Vero":{"tags":{"id":"8","action":"add","values":["vip"]}}},` + at + `}`, signedUp(``), delivery.ReasonBrowserWithheld},
		"tags that cannot be read":   {`{"type":"track","event":"Signed Up","userId":"7","integrations":{"Vero":{"tags":7}},` + at + `}`, signedUp(``), delivery.ReasonBrowserWithheld},
		"source and channel spoofed": {`{"type":"identify","userId":"7","source":"server","channel":"server","trust":"server","traits":{"email":"a@example.com"},` + at + `}`, `users/track {"id":"7","data":{}}`, delivery.ReasonBrowserWithheld},
		"repeated fields":            {`{"type":"identify","userId":"a@example.com","userId":"7","traits":{},"traits":{"email":"a@example.com"},` + at + `}`, `users/track {"id":"7","data":{}}`, delivery.ReasonBrowserWithheld},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := browserMapping("Signed Up", "Viewed page", "Unsubscribe").plan(accept(t, test.call))
			var got []string
			for _, r := range plan.Requests {
				got = append(got, r.Path+" "+string(r.Body))
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if plan.Reason != test.reason || plan.Err != nil {
				t.Errorf("reason %q, %v, want %q", plan.Reason, plan.Err, test.reason)
			}
		})
	}
}

// Sources that are not browsers are not touched.
func TestBrowserRulesAreOfTheirSource(t *testing.T) {
	t.Parallel()
	m := browserMapping()
	e := accept(t, `{"type":"identify","userId":"7","traits":{"email":"a@example.com"}}`)
	e.Source = "backend"
	if got := string(m.plan(e).Requests[0].Body); got != `{"id":"7","email":"a@example.com","data":{}}` {
		t.Errorf("request of a trusted source: %s", got)
	}
}

// Whatever a browser sends, no request names an address, and none is of another
// kind than the two that a browser may cause.
func TestBrowserNeverNamesAnAddress(t *testing.T) {
	t.Parallel()
	m := browserMapping("Signed Up", "Unsubscribe", "Viewed page")
	rapid.Check(t, func(t *rapid.T) {
		member := rapid.Custom(func(t *rapid.T) string {
			key := rapid.SampledFrom([]string{"email", "Email", "EMAIL", "e\\u006dail", "phone", "phone_number", "channels", "id", "userId", "plan", "identity"}).Draw(t, "key")
			value := rapid.SampledFrom([]string{`"victim@example.com"`, `7`, `null`, `{"email":"victim@example.com"}`, `["victim@example.com"]`}).Draw(t, "value")
			return fmt.Sprintf(`"%s":%s`, key, value)
		})
		object := rapid.Custom(func(t *rapid.T) string {
			return "{" + strings.Join(rapid.SliceOfN(member, 0, 4).Draw(t, "members"), ",") + "}"
		})
		kind := rapid.SampledFrom([]string{"track", "identify", "page", "screen", "group", "alias"}).Draw(t, "type")
		name := rapid.SampledFrom([]string{"Signed Up", "Unsubscribe", "resubscribed", "Order Completed"}).Draw(t, "event")
		user := rapid.SampledFrom([]string{`"7"`, `"victim@example.com"`, `null`}).Draw(t, "user")
		call := fmt.Sprintf(`{"type":%q,"event":%q,"userId":%s,"anonymousId":"x","previousId":"victim@example.com","groupId":"g","traits":%s,"properties":%s,`+
			`"context":{"traits":%s,"device":{"token":"t","type":"ios"}},"integrations":{"Vero":{"tags":{"add":["a"],"id":"victim"}}},%s}`,
			kind, name, user, object.Draw(t, "traits"), object.Draw(t, "properties"), object.Draw(t, "context"), member.Draw(t, "extra"))
		e, err := event.New([]byte(call), event.Stamp{Source: "app", ReceivedAt: received})
		if err != nil {
			return
		}
		for _, r := range m.plan(e).Requests {
			if r.Path != pathUsersTrack && r.Path != pathEventsTrack {
				t.Fatalf("%s goes out: %s", r.Path, r.Body)
			}
			if name := addressIn(gjson.ParseBytes(r.Body)); name != "" {
				t.Fatalf("%s goes out: %s", name, r.Body)
			}
			if strings.Contains(personIn(r), "@") {
				t.Fatalf("the person is an address: %s", r.Body)
			}
		}
	})
}

// addressIn returns the name of a member that is an address, at any depth.
func addressIn(v gjson.Result) (name string) {
	if !v.IsObject() && !v.IsArray() {
		return ""
	}
	v.ForEach(func(key, value gjson.Result) bool {
		if name = addressIn(value); isAddress(key.Str) {
			name = key.Str
		}
		return name == ""
	})
	return name
}

// A part of an event that is withheld is reported with the delivery.
func TestBrowserDelivery(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, func(o *VeroOptions) {
		o.Browsers = map[string]Browser{"app": {Events: []string{"Signed Up"}, TriggersPerHour: 2}}
	})
	batch := []event.Event{
		accept(t, `{"type":"identify","messageId":"m-1","userId":"7","traits":{"email":"a@example.com"}}`),
		track(t, "m-2", "7", "Signed Up"), track(t, "m-3", "7", "Signed Up"), track(t, "m-4", "7", "Signed Up"),
		track(t, "m-5", "8", "Signed Up"), track(t, "m-6", "7", "Order Completed"),
	}
	want := []string{
		"delivered browser_withheld", "delivered delivered", "delivered delivered", "skipped browser_triggers",
		"delivered delivered", "skipped browser_event",
	}
	// The same again is the same: what was counted is not counted twice.
	for range 2 {
		if diff := cmp.Diff(want, verdicts(v.Deliver(t.Context(), batch))); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
	}
	users := mock.Effects().Users
	if users["7"].Email != "" || len(users["7"].Events) != 2 || len(users["8"].Events) != 1 {
		t.Errorf("Vero knows %+v", users)
	}
	if _, err := NewVero(VeroOptions{Name: "v", AuthToken: secret, Browsers: map[string]Browser{"app": {TriggersPerHour: -1}}}); err == nil || !strings.Contains(err.Error(), `"app" must not be negative`) {
		t.Errorf("a negative limit is answered with %v", err)
	}
}
