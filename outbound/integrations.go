package outbound

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// integration returns what the event's integrations object says of a
// destination that goes by the given names, the most specific first. Case does
// not matter: Segment writes Vero, RudderStack vero or VERO. The result does
// not exist where the object names none of them.
func integration(e event.Event, names ...string) gjson.Result {
	object := e.Get("integrations")
	for _, name := range names {
		var found gjson.Result
		object.ForEach(func(key, value gjson.Result) bool {
			if strings.EqualFold(key.Str, name) && value.Type != gjson.Null {
				found = value
			}
			return true
		})
		if found.Exists() {
			return found
		}
	}
	return gjson.Result{}
}

// enabled says whether the event may go to a destination. A destination that is
// named wins over All, an object of settings counts as true, and what is not
// mentioned is allowed (segment-docs, spec/common, "Integrations").
func enabled(e event.Event, names ...string) bool {
	if named := integration(e, names...); named.Exists() {
		return named.Type != gjson.False
	}
	return integration(e, "All").Type != gjson.False
}
