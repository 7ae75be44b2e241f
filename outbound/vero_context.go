package outbound

import (
	"strconv"
	"time"
	_ "time/tzdata" // a zone's offset must not depend on the machine's files

	"github.com/verobridge/verobridge/internal/event"
)

// writeContext adds what the context of an identify call knows about the
// person, as Mapping.Context says. By default that goes under the names that
// Vero reserves for it (getvero-docs, "Identify users"), and a trait of the same
// name wins.
func (m mapping) writeContext(data *object, e event.Event) {
	agent, locale, zone := e.Get("context.userAgent").String(), e.Get("context.locale").String(), e.Get("context.timezone").String()
	switch m.Context {
	case asNone:
		return
	case asDefault:
		data.textOnce("language", locale)
		if hours, ok := hoursFromGMT(zone, e.Time()); ok && !data.has("timezone") {
			data.raw("timezone", hours)
			data.textOnce("ianaTimezone", zone)
		}
	case asRudderStack:
		data.textOnce("timezone", zone)
		data.textOnce("locale", locale)
	}
	data.textOnce("userAgent", agent)
}

// hoursFromGMT returns the offset of an IANA zone at a time, as the JSON number
// that Vero's timezone wants: hours, with a fraction where a zone is not on
// the hour, as Vero's own JavaScript client sends it.
func hoursFromGMT(zone string, at time.Time) (string, bool) {
	if zone == "" || zone == "Local" {
		return "", false
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return "", false
	}
	_, seconds := at.In(location).Zone()
	return strconv.FormatFloat(float64(seconds)/3600, 'f', -1, 64), true
}
