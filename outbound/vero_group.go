package outbound

import (
	"net/http"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// groupPlan keeps the group under one property of the person.
func (m mapping) groupPlan(e event.Event, p person) Plan {
	switch m.Group {
	case groupUsersTrack:
		return groupByTrack(e, m.present(e.Get("traits")), p)
	case groupUsersEdit:
		return groupByEdit(m.present(e.Get("traits")), p)
	default:
		return Plan{Reason: delivery.ReasonNothingToSend}
	}
}

// groupByTrack writes the group with users/track, which makes the person where
// there is none.
func groupByTrack(e event.Event, traits gjson.Result, p person) Plan {
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

// groupByEdit writes the group as Segment's own destination did: with users/edit,
// which Vero no longer documents and which makes no person, and with an address
// among the group's traits as the person's.
func groupByEdit(traits gjson.Result, p person) Plan {
	if email := traits.Get("email"); email.Type == gjson.String && email.Str != "" {
		p.email = email.Str
	}
	if err := checkLength("the e-mail address", p.email); err != nil {
		return Plan{Reason: delivery.ReasonTooLong, Err: err}
	}
	var group, changes, body object
	group.members(traits, func(key string) string {
		if key == "email" {
			return ""
		}
		return key
	})
	changes.raw("group", group.String())
	p.write(&body)
	body.raw("changes", changes.String())
	return singleCall(http.MethodPut, pathUsersEdit, &body)
}
