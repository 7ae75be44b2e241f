package outbound

import "strings"

// The names under which views are tracked. Calls of type page and screen have
// no event name of their own.
const (
	viewedPage   = "Viewed page"
	viewedScreen = "Viewed screen"
)

// PresetDefault and PresetNone are the values of VeroOptions.Preset.
const (
	// PresetDefault gives the events of Segment's e-commerce spec the names
	// that Vero's templates and its other integrations use.
	PresetDefault = "default"
	// PresetNone passes every event name and property through.
	PresetNone = "none"
)

// rename says under which names Vero gets an event and its properties.
type rename struct {
	event      string
	properties map[string]string
}

// presets has the tables by the names in the settings. The default one is
// Datafly's (Datafly Signal documentation, "Vero", event mapping). What a table
// does not list passes through.
var presets = map[string]map[string]rename{
	PresetDefault: {
		"Signed Up":         {event: "Signed up"},
		"Products Searched": {event: "Searched products"},
		"Product Viewed":    {event: "Viewed product", properties: map[string]string{"url": "product_url"}},
		"Product Added":     {event: "Added to cart"},
		"Checkout Started":  {event: "Started checkout"},
		"Order Completed":   {event: "Completed order"},
	},
	PresetNone: {},
}

// subscriptionPath returns the path that a track call of this name belongs to,
// instead of events/track, or "". The whole name counts, in any case: a rule on
// parts of names, which Segment's own destination has, lets "Unsubscribed from
// plan" take a customer off all marketing.
func subscriptionPath(name string) string {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "unsubscribe", "unsubscribed":
		return pathUnsubscribe
	case "resubscribe", "resubscribed":
		return pathResubscribe
	default:
		return ""
	}
}
