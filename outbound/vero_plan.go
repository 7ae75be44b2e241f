package outbound

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// The endpoints of Vero's Track API that events map to, below its base URL
// (getvero-docs, "Track API reference").
const (
	pathUsersTrack  = "users/track"
	pathUsersEdit   = "users/edit"
	pathUsersDelete = "users/delete"
	pathReidentify  = "users/reidentify"
	pathUnsubscribe = "users/unsubscribe"
	pathResubscribe = "users/resubscribe"
	pathTags        = "users/tags/edit"
	pathEventsTrack = "events/track"
)

// veroName is what integrations objects and Vero's own calls name Vero, in any
// case.
const veroName = "vero"

// Request is one call of Vero's Track API, without the credentials.
type Request struct {
	Method string
	Path   string          // below the base URL, such as events/track
	Body   json.RawMessage // a JSON object
}

func newRequest(method, path string, body *object) Request {
	return Request{Method: method, Path: path, Body: json.RawMessage(body.String())}
}

// Plan is what an event means to Vero: the calls to make, in order, and how the
// event is settled when all of them have succeeded.
type Plan struct {
	Requests []Request
	// Reason says why nothing is sent, why the event is dead, or why a part of
	// it is not sent.
	Reason delivery.Reason
	// Err is what makes the event dead, nil where nothing does.
	Err error
}

// Outcome returns how the event is settled if the calls of the plan succeed.
func (p Plan) Outcome() delivery.Outcome { return p.settle() }

// settle returns the outcome of the plan once its calls have succeeded.
func (p Plan) settle(calls ...delivery.Call) delivery.Outcome {
	switch {
	case p.Err != nil:
		return delivery.Dead(p.Reason, p.Err, calls...)
	case len(p.Requests) == 0:
		return delivery.Skipped(p.Reason)
	case p.Reason != "":
		return delivery.DeliveredWithout(p.Reason, calls...)
	default:
		return delivery.Delivered(calls...)
	}
}

// mapping turns events into plans. It has settings and no state.
type mapping struct {
	Mapping                         // with no option left empty
	name    string                  // of the destination
	sources map[string]bool         // that are Vero itself
	browser map[string]browserRules // by source, those with a public key
	rules   map[string]rule         // by event name or type
	consent Consent
}

// newMapping returns the mapping of options that have no problems.
func newMapping(o VeroOptions) mapping {
	m := mapping{
		Mapping: o.Mapping.over(presets[cmp.Or(o.Preset, PresetDefault)]),
		name:    o.Name,
		sources: setOf(o.Sources),
		browser: make(map[string]browserRules, len(o.Browsers)),
		consent: o.Consent,
	}
	for source, b := range o.Browsers {
		m.browser[source] = newBrowserRules(b)
	}
	table := defaultNames
	if m.Names == asNone {
		table = nil
	}
	m.rules = newRules(table, o.Events)
	return m
}

// plan maps an event to calls:
//
//	identify           POST users/track        {id, email, channels, data: traits}
//	group              POST users/track        {id, email, data: {group: traits}}
//	track              POST events/track       {identity, event_name, data: properties, extras}
//	page, screen       POST events/track       as Viewed page, Viewed screen
//	alias              PUT  users/reidentify   {id: previousId, new_id: userId}
//	track Unsubscribe  POST users/unsubscribe  {id}, and Resubscribe likewise
//	track DeleteEvent  POST users/delete       {id}
//	with tags          PUT  users/tags/edit    {id, add, remove}, after the call above
//
// These are the calls of the preset default; each option of Mapping changes one
// of these lines.
func (m mapping) plan(e event.Event) Plan { return m.planFor(e, m.personOf(e)) }

// planFor maps an event of a person. Of the calls, an event from a browser
// keeps what vero_trust.go lets through.
func (m mapping) planFor(e event.Event, p person) Plan {
	rules, public := m.browser[e.Source]
	if !public {
		plan := m.planTrusted(e, p)
		if plan.Err != nil {
			plan.Requests = nil // so that a dead letter that is sent again repeats nothing
		}
		return plan
	}
	m.OrderedProducts = false // one event of a stranger stays one trigger
	return rules.restrict(e, m.planTrusted(e, p))
}

// planTrusted is the plan where whoever sent the event may do everything.
func (m mapping) planTrusted(e event.Event, p person) Plan {
	if reason := m.unwanted(e); reason != "" {
		return Plan{Reason: reason}
	}
	command := m.command(e)
	if command != "" || e.Type == event.Alias {
		p.email = "" // these calls take an id alone
	}
	if p.id == "" {
		return Plan{Reason: delivery.ReasonNoIdentity}
	}
	if err := errors.Join(checkLength("the id", p.id), checkLength("the e-mail address", p.email)); err != nil {
		return Plan{Reason: delivery.ReasonTooLong, Err: err}
	}
	plan := m.mainPlan(e, p, command)
	if plan.Err != nil || len(plan.Requests) == 0 {
		return plan
	}
	return m.withTags(plan, e, p)
}

// unwanted returns why the event must not be sent, or "". Consent comes before
// the integrations object (segment-docs, consent-in-segment-connections).
func (m mapping) unwanted(e event.Event) delivery.Reason {
	rule := m.rules[ruleKey(e)]
	switch {
	case m.sources[e.Source], strings.EqualFold(e.Get("context.integration.name").String(), veroName):
		return delivery.ReasonLoopGuard
	case !m.consent.given(e) && !withdraws(m.command(e)):
		return delivery.ReasonConsent
	case !enabled(e, m.name, veroName):
		return delivery.ReasonIntegrations
	case rule.drop:
		return delivery.ReasonDropped
	case !rule.met(e):
		return delivery.ReasonCondition
	default:
		return ""
	}
}

// mainPlan is the plan but for tags.
func (m mapping) mainPlan(e event.Event, p person, command string) Plan {
	switch {
	case command != "":
		return m.commandPlan(command, e, p)
	case e.Type == event.Identify:
		return m.identifyPlan(e, p)
	case e.Type == event.Group:
		return m.groupPlan(e, p)
	case e.Type == event.Alias:
		return m.aliasPlan(e, p)
	case e.Type == event.Track:
		return m.trackPlan(e, p)
	case e.Type == event.Page, e.Type == event.Screen:
		return m.viewPlan(e, p)
	default:
		return Plan{Reason: delivery.ReasonNothingToSend}
	}
}

// withTags adds the call that edits tags. Tags in a shape that nobody can read
// make the event dead, so that they are noticed.
func (m mapping) withTags(plan Plan, e event.Event, p person) Plan {
	r, wanted, err := tagsRequest(integration(e, m.name, veroName), p)
	switch {
	case err != nil:
		plan.Reason, plan.Err = delivery.ReasonBadRequest, err
	case wanted:
		plan.Requests = append(plan.Requests, r)
	}
	return plan
}

func singleCall(method, path string, body *object) Plan {
	return Plan{Requests: []Request{newRequest(method, path, body)}}
}

// aliasPlan merges the old profile into the new one. There is nothing to merge
// where the old id is an anonymousId, unless those are sent as ids.
func (m mapping) aliasPlan(e event.Event, p person) Plan {
	previous := e.PreviousID()
	anonymous := previous == e.AnonymousID() && !m.takesID(idOfAnonymous)
	if previous == "" || previous == p.id || anonymous {
		return Plan{Reason: delivery.ReasonNothingToSend}
	}
	if err := checkLength("the previousId", previous); err != nil {
		return Plan{Reason: delivery.ReasonTooLong, Err: err}
	}
	var body object
	body.text("id", previous)
	body.text("new_id", p.id)
	return singleCall(http.MethodPut, pathReidentify, &body)
}
