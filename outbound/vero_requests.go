package outbound

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// The endpoints of Vero's Track API that events map to, below its base URL
// (getvero-docs, "Track API reference").
const (
	pathUsersTrack  = "users/track"
	pathReidentify  = "users/reidentify"
	pathUnsubscribe = "users/unsubscribe"
	pathResubscribe = "users/resubscribe"
	pathTags        = "users/tags/edit"
	pathEventsTrack = "events/track"
)

// veroName is what integrations objects and Vero's own calls name Vero, in any
// case.
const veroName = "vero"

// messageIDProperty is where the data of an event carries its messageId.
const messageIDProperty = "segment_message_id"

// createdAtLayout is the form of extras.created_at in Vero's documentation.
// The time must be in UTC.
const createdAtLayout = "2006-01-02T15:04:05+0000"

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
	name          string                  // of the destination
	sources       map[string]bool         // that are Vero itself
	browsers      map[string]browserRules // by source, those with a public key
	names         map[string]rename       // the preset
	omitMessageID bool
}

// plan maps an event to calls:
//
//	identify          POST users/track        {id, email, channels, data: traits}
//	group             POST users/track        {id, email, data: {group: traits}}
//	track             POST events/track       {identity, event_name, data: properties, extras}
//	page, screen      POST events/track       as Viewed page, Viewed screen
//	alias             PUT  users/reidentify   {id: previousId, new_id: userId}
//	track Unsubscribe POST users/unsubscribe  {id}, and Resubscribe likewise
//	with tags         PUT  users/tags/edit    {id, add, remove}, after the call above
//
// Of that, an event from a browser keeps what vero_trust.go lets through.
func (m mapping) plan(e event.Event) Plan {
	plan := m.planTrusted(e)
	if rules, public := m.browsers[e.Source]; public {
		return rules.restrict(e, plan)
	}
	return plan
}

// planTrusted is the plan where whoever sent the event may do everything.
func (m mapping) planTrusted(e event.Event) Plan {
	switch {
	case m.sources[e.Source], strings.EqualFold(e.Get("context.integration.name").String(), veroName):
		return Plan{Reason: delivery.ReasonLoopGuard}
	case !enabled(e, m.name, veroName):
		return Plan{Reason: delivery.ReasonIntegrations}
	}

	p := personOf(e)
	subscription := ""
	if e.Type == event.Track {
		subscription = subscriptionPath(e.Name())
	}
	if id := e.Get("properties.id").String(); subscription != "" && e.UserID() == "" && id != "" {
		// Segment's browser library names the person so in these calls.
		p.id = id
	}
	if subscription != "" || e.Type == event.Alias {
		p.email = "" // these calls take an id alone
	}
	if p.id == "" {
		return Plan{Reason: delivery.ReasonNoIdentity}
	}
	if err := errors.Join(checkLength("the id", p.id), checkLength("the e-mail address", p.email)); err != nil {
		return Plan{Reason: delivery.ReasonTooLong, Err: err}
	}

	var plan Plan
	switch {
	case subscription != "":
		plan = subscriptionPlan(subscription, p)
	case e.Type == event.Identify:
		plan = identifyPlan(e, p)
	case e.Type == event.Group:
		plan = groupPlan(e, p)
	case e.Type == event.Alias:
		plan = aliasPlan(e)
	case e.Type == event.Track, e.Type == event.Page, e.Type == event.Screen:
		plan = m.trackPlan(e, p)
	default:
		return Plan{Reason: delivery.ReasonNothingToSend}
	}
	if plan.Err != nil {
		return plan
	}
	return m.withTags(plan, e, p)
}

// withTags adds the call that edits tags. Tags in a shape that nobody can read
// make the event dead, so that they are noticed, but not before its main call:
// that one is right.
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

func identifyPlan(e event.Event, p person) Plan {
	var body object
	p.write(&body)
	if channels := pushChannels(e); channels != "" {
		body.raw("channels", channels)
	}
	body.raw("data", userData(e))
	return singleCall(http.MethodPost, pathUsersTrack, &body)
}

// groupPlan keeps the group under one property of the person. Segment's own
// destination used users/edit for it, which Vero no longer documents.
func groupPlan(e event.Event, p person) Plan {
	traits := e.Get("traits")
	var group, data, body object
	if !has(traits, "id") {
		group.textIfAny("id", e.Get("groupId").String())
	}
	group.members(traits, unchanged)
	data.raw("group", group.String())
	p.write(&body)
	body.raw("data", data.String())
	return singleCall(http.MethodPost, pathUsersTrack, &body)
}

// aliasPlan merges the old profile into the new one. An anonymousId never was a
// profile at Vero, so there is nothing to merge where the old id is one.
func aliasPlan(e event.Event) Plan {
	previous, id := e.PreviousID(), e.UserID()
	if previous == "" || previous == id || previous == e.AnonymousID() {
		return Plan{Reason: delivery.ReasonNothingToSend}
	}
	if err := checkLength("the previousId", previous); err != nil {
		return Plan{Reason: delivery.ReasonTooLong, Err: err}
	}
	var body object
	body.text("id", previous)
	body.text("new_id", id)
	return singleCall(http.MethodPut, pathReidentify, &body)
}

func subscriptionPlan(path string, p person) Plan {
	var body object
	body.text("id", p.id)
	return singleCall(http.MethodPost, path, &body)
}

func (m mapping) trackPlan(e event.Event, p person) Plan {
	name := e.Name()
	renamed := m.names[name]
	switch {
	case e.Type == event.Page:
		name, renamed = viewedPage, rename{}
	case e.Type == event.Screen:
		name, renamed = viewedScreen, rename{}
	case renamed.event != "":
		name = renamed.event
	}
	if err := checkLength("the event name", name); err != nil {
		return Plan{Reason: delivery.ReasonTooLong, Err: err}
	}
	data := m.eventData(e, renamed.properties)

	var identity, extras, body object
	p.write(&identity)
	extras.text("source", "segment")
	extras.text("created_at", e.Time().UTC().Format(createdAtLayout))
	if data.empty() {
		// Without data, Vero tells equal events apart by this alone.
		extras.text("check_id", e.ID)
	}
	body.raw("identity", identity.String())
	body.text("event_name", name)
	if !data.empty() {
		body.raw("data", data.String())
	}
	body.raw("extras", extras.String())
	return singleCall(http.MethodPost, pathEventsTrack, &body)
}

// eventData returns the event's properties as Vero gets them. What a page or
// screen call says outside of its properties goes in too.
func (m mapping) eventData(e event.Event, names map[string]string) *object {
	properties := e.Get("properties")
	data := new(object)
	data.members(properties, func(key string) string {
		if to := names[key]; to != "" && !has(properties, to) {
			return to
		}
		return key
	})
	if e.Type == event.Page || e.Type == event.Screen {
		for _, field := range []string{"name", "category"} {
			if v := e.Get(field); v.Type == gjson.String && v.Str != "" && !has(properties, field) {
				data.raw(field, v.Raw)
			}
		}
	}
	if !m.omitMessageID && !has(properties, messageIDProperty) {
		data.text(messageIDProperty, e.ID)
	}
	return data
}

func unchanged(key string) string { return key }
