package outbound

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// The names under which views are tracked. Calls of type page and screen have
// no event name of their own.
const (
	viewedPage   = "Viewed page"
	viewedScreen = "Viewed screen"
)

// viewPlan tracks a page or screen as an event.
func (m mapping) viewPlan(e event.Event, p person) Plan {
	style := m.Page
	if e.Type == event.Screen {
		style = m.Screen
	}
	if style == asNone {
		return Plan{Reason: delivery.ReasonNothingToSend}
	}
	name := viewName(e, style)
	rule := m.rules[ruleKey(e)]
	if rule.name != "" {
		name = rule.name
	}
	if err := checkLength("the event name", name); err != nil {
		return Plan{Reason: delivery.ReasonTooLong, Err: err}
	}
	data := new(object)
	rule.write(data, m.present(viewProperties(e, style)))
	if agent := e.Get("context.userAgent").String(); m.Context == asSegment && agent != "" {
		data.textOnce("userAgent", agent)
	}
	if style == asSegment {
		p.email = "" // as Segment does, a page names its person by the id alone
	}
	return Plan{Requests: []Request{m.eventRequest(e, p, name, data, e.ID)}}
}

// viewName is the name of a page or screen at Vero.
func viewName(e event.Event, style string) string {
	screen := e.Type == event.Screen
	switch {
	case style == asSegment:
		return "viewed_page"
	case style == asRudderStack:
		kind := "Page"
		if screen {
			kind = "Screen"
		}
		words := []string{"Viewed"}
		for _, path := range []string{"properties.category", "name"} {
			if word := e.Get(path).String(); word != "" {
				words = append(words, word)
			}
		}
		return strings.Join(append(words, kind), " ")
	case screen:
		return viewedScreen
	default:
		return viewedPage
	}
}

// viewProperties returns the properties of a view. By default what the call
// says outside of them goes in too.
func viewProperties(e event.Event, style string) gjson.Result {
	properties := e.Get("properties")
	var all object
	switch style {
	case asRudderStack:
		return properties
	case asSegment:
		if url := properties.Get("url"); url.Exists() {
			all.raw("url", url.Raw)
		}
	default:
		all.members(properties, unchanged)
		for _, field := range []string{"name", "category"} {
			if v := e.Get(field); v.Type == gjson.String && v.Str != "" && !has(properties, field) {
				all.raw(field, v.Raw)
			}
		}
	}
	return gjson.Parse(all.String())
}

func unchanged(key string) string { return key }
