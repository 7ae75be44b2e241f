package outbound

import (
	"cmp"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// defaultTriggersPerHour is more than a visitor does on purpose and less than
// an inbox would notice as a flood.
const defaultTriggersPerHour = 20

// Browser is what the events of a source may do at Vero whose write key
// everybody can read, as keys in web pages and apps are. Such an event never
// carries an address, so that nobody can be mailed whom a server has not made
// known, and triggers only what is listed here.
type Browser struct {
	// Events names the track events that may trigger emails, exactly as they
	// are sent. Calls of type page and screen are "Viewed page" and "Viewed
	// screen" here, by whichever names Vero gets them. Defaults to none.
	Events []string
	// TriggersPerHour is how many events of one person are sent within an hour,
	// by the time at which they were received. Defaults to 20.
	TriggersPerHour int
}

// browserRules are the names of the track events that a browser may trigger.
type browserRules map[string]bool

func newBrowserRules(b Browser) browserRules {
	rules := make(browserRules, len(b.Events))
	for _, name := range b.Events {
		rules[name] = true
	}
	return rules
}

// restrict returns what is left of the plan for an event of this source. It
// judges the requests, not the event: what is not known to be harmless does not
// go out, by whichever field of the event it came in.
func (rules browserRules) restrict(e event.Event, plan Plan) Plan {
	if len(plan.Requests) == 0 {
		return plan
	}
	var allowed Plan
	if plan.Err != nil { // of its tags, which would not go out anyway
		allowed.Reason = delivery.ReasonBrowserWithheld
	}
	for _, r := range plan.Requests {
		switch r.Path {
		case pathUsersTrack, pathUsersEdit:
		case pathEventsTrack:
			if !rules[triggerName(e)] {
				return Plan{Reason: delivery.ReasonBrowserEvent}
			}
		case pathTags:
			allowed.Reason = delivery.ReasonBrowserWithheld
			continue
		default:
			return Plan{Reason: delivery.ReasonBrowserCall}
		}
		if strings.Contains(personIn(r), "@") {
			return Plan{Reason: delivery.ReasonBrowserAddress}
		}
		r, withheld := withoutAddresses(r)
		if withheld {
			allowed.Reason = delivery.ReasonBrowserWithheld
		}
		allowed.Requests = append(allowed.Requests, r)
	}
	return allowed
}

// trigger returns the person of the plan's event at Vero, if it has one: the
// call that can cause an email.
func (p Plan) trigger() (person string, found bool) {
	for _, r := range p.Requests {
		if r.Path == pathEventsTrack {
			return personIn(r), true
		}
	}
	return "", false
}

// triggerName is the name by which a source's settings allow the event.
func triggerName(e event.Event) string {
	switch e.Type {
	case event.Page:
		return viewedPage
	case event.Screen:
		return viewedScreen
	default:
		return e.Name()
	}
}

// personIn returns the id of the person that a request is about.
func personIn(r Request) string {
	return cmp.Or(gjson.GetBytes(r.Body, "identity.id").String(), gjson.GetBytes(r.Body, "id").String())
}

// withoutAddresses returns a request without everything that says where a
// person can be reached: email, phone_number and channels beside the id, and
// what Vero or a template of an email could take for one of them in the data.
// withheld says whether there was any.
func withoutAddresses(r Request) (safe Request, withheld bool) {
	var body object
	gjson.ParseBytes(r.Body).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "id", "event_name", "extras":
			body.member(key.Raw, value.Raw)
		case "identity", "data", "changes":
			inner, found := withoutAddressFields(value)
			withheld = withheld || found
			body.member(key.Raw, inner)
		default:
			withheld = true
		}
		return true
	})
	return newRequest(r.Method, r.Path, &body), withheld
}

// withoutAddressFields returns a JSON value without the members that are
// addresses by their name, however deep they are. found says whether there was
// any.
func withoutAddressFields(v gjson.Result) (safe string, found bool) {
	switch {
	case v.IsObject():
		var o object
		v.ForEach(func(key, value gjson.Result) bool {
			if isAddress(key.Str) {
				found = true
				return true
			}
			inner, within := withoutAddressFields(value)
			found = found || within
			o.member(key.Raw, inner)
			return true
		})
		return o.String(), found
	case v.IsArray():
		var items []string
		v.ForEach(func(_, value gjson.Result) bool {
			inner, within := withoutAddressFields(value)
			found = found || within
			items = append(items, inner)
			return true
		})
		return "[" + strings.Join(items, ",") + "]", found
	default:
		return v.Raw, false
	}
}

// isAddress says whether a property of this name says where a person can be
// reached (getvero-docs, "Identify users").
func isAddress(property string) bool {
	switch strings.ToLower(strings.TrimSpace(property)) {
	case "email", "phone", "phone_number", "channels":
		return true
	default:
		return false
	}
}
