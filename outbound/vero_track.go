package outbound

import (
	"net/http"
	"strconv"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// messageIDProperty is where the data of an event carries its messageId.
const messageIDProperty = "segment_message_id"

// createdAtLayout is the form of extras.created_at in Vero's documentation.
// The time must be in UTC.
const createdAtLayout = "2006-01-02T15:04:05+0000"

func (m mapping) trackPlan(e event.Event, p person) Plan {
	name := m.eventName(e)
	if err := checkLength("the event name", name); err != nil {
		return Plan{Reason: delivery.ReasonTooLong, Err: err}
	}
	data := new(object)
	m.rules[ruleKey(e)].write(data, m.present(e.Get("properties")))
	if agent := e.Get("context.userAgent").String(); m.Context == asSegment && agent != "" {
		data.textOnce("userAgent", agent)
	}
	plan := m.orderedProducts(e, p)
	plan.Requests = append(plan.Requests, m.eventRequest(e, p, name, data, e.ID))
	return plan
}

// eventName is the event's name at Vero: that of a rule, that of the preset's
// table, its own.
func (m mapping) eventName(e event.Event) string {
	name := e.Name()
	if to := m.rules[name].name; to != "" {
		return to
	}
	return name
}

// eventRequest is one call of events/track. id tells the event apart from equal
// ones and is the same whenever the event is sent.
func (m mapping) eventRequest(e event.Event, p person, name string, data *object, id string) Request {
	if m.Dedup == dedupMessageID && !data.has(messageIDProperty) {
		data.text(messageIDProperty, id)
	}
	var identity, body object
	p.write(&identity)
	body.raw("identity", identity.String())
	body.text("event_name", name)
	if !data.empty() {
		body.raw("data", data.String())
	}
	m.writeExtras(&body, e, data.empty())
	return newRequest(http.MethodPost, pathEventsTrack, &body)
}

// writeExtras adds what Vero should know about an event apart from its data.
func (m mapping) writeExtras(body *object, e event.Event, bare bool) {
	var extras object
	if m.Source != asNone {
		extras.text("source", m.Source)
	}
	switch m.CreatedAt {
	case createdAtISO:
		extras.text("created_at", e.Time().UTC().Format(createdAtLayout))
	case createdAtUnix:
		extras.raw("created_at", strconv.FormatInt(e.Time().Unix(), 10))
	}
	switch {
	case m.Dedup == dedupCheckID && bare:
		extras.text("check_id", e.ID)
	case m.Dedup == dedupTimestamp:
		// Microseconds with the precision of a millisecond, as RudderStack.
		extras.raw("check_id", strconv.FormatInt(e.Time().UnixMilli()*1000, 10))
	}
	if !extras.empty() {
		body.raw("extras", extras.String())
	}
}
