package outbound

import (
	"net/http"
	"strings"

	"github.com/verobridge/verobridge/internal/event"
)

// command returns the path of the call that a track event stands for instead of
// events/track, or "": those that change a person's subscription or delete the
// person. The name that counts is the one at Vero, so that a rule can make an
// Unsubscribe of an event with another name, or the other way round.
func (m mapping) command(e event.Event) string {
	if e.Type != event.Track {
		return ""
	}
	name := strings.TrimSpace(m.eventName(e))
	if m.DeleteEvent != "" && strings.EqualFold(name, m.DeleteEvent) {
		return pathUsersDelete
	}
	return subscriptionPath(m.Unsubscribe, name)
}

// subscriptionPath reads a name as Mapping.Unsubscribe says. By default the
// whole name counts, in any case: a rule on parts of names, which Segment's own
// destination has, lets "Unsubscribed from plan" take a customer off all
// marketing.
func subscriptionPath(rule, name string) string {
	if rule == asSegment {
		// Segment's rule: /[Uu]nsubscribe/, so that UNSUBSCRIBE is none.
		if strings.Contains(name, "Unsubscribe") || strings.Contains(name, "unsubscribe") {
			return pathUnsubscribe
		}
		return ""
	}
	name = strings.ToLower(name)
	if rule == unsubscribeExact {
		name = strings.TrimSuffix(name, "d")
	}
	switch name {
	case "unsubscribe":
		return pathUnsubscribe
	case "resubscribe":
		return pathResubscribe
	default:
		return ""
	}
}

// withdraws says whether a command only takes something from what Vero may do.
// Such a one needs no consent: a person who has withdrawn it may unsubscribe.
func withdraws(command string) bool {
	return command == pathUnsubscribe || command == pathUsersDelete
}

func (m mapping) commandPlan(command string, e event.Event, p person) Plan {
	var body object
	body.text("id", p.id)
	if m.Unsubscribe == asSegment && command == pathUnsubscribe {
		m.writeExtras(&body, e, false)
	}
	return singleCall(http.MethodPost, command, &body)
}
