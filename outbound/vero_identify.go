package outbound

import (
	"net/http"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

func (m mapping) identifyPlan(e event.Event, p person) Plan {
	data := new(object)
	m.writeTraits(data, e, p)
	m.writeContext(data, e)
	var body object
	p.write(&body)
	if channels := pushChannels(e, m.Push); channels != "" {
		body.raw("channels", channels)
	}
	body.raw("data", data.String())
	return singleCall(http.MethodPost, pathUsersTrack, &body)
}

// present returns traits or properties without those that are null, where they
// are to be dropped.
func (m mapping) present(fields gjson.Result) gjson.Result {
	if m.Nulls != nullsDrop || !fields.IsObject() {
		return fields
	}
	var kept object
	fields.ForEach(func(key, value gjson.Result) bool {
		if value.Type != gjson.Null {
			kept.member(key.Raw, value.Raw)
		}
		return true
	})
	return gjson.Parse(kept.String())
}

// writeTraits adds the person's traits, as Mapping.Traits says.
func (m mapping) writeTraits(data *object, e event.Event, p person) {
	traits, other := e.Get("traits"), e.Get("context.traits")
	var wanted object
	without := map[string]bool{"id": true, "email": true}
	switch m.Traits {
	case asSegment:
		// The id that Segment's libraries put among the traits is the userId.
		without = map[string]bool{"id": true}
		wanted.text("id", p.id)
	case asRudderStack:
		without = map[string]bool{"email": true}
		traits, other = other, traits
	}
	if !traits.IsObject() {
		traits = other
	}
	wanted.members(m.present(traits), func(key string) string {
		if without[key] {
			return ""
		}
		return key
	})
	m.rules[ruleKey(e)].write(data, gjson.Parse(wanted.String()))
}
