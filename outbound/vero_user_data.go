package outbound

import (
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a zone's offset must not depend on the machine's files

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// userData returns the data of an identify call: the traits, without the two
// that users/track has fields of its own for, and what the context knows about
// the person under the names that Vero reserves for it (getvero-docs,
// "Identify users"). A trait of the same name wins.
func userData(e event.Event) string {
	traits := e.Get("traits")
	if !traits.IsObject() {
		traits = e.Get("context.traits")
	}
	var data object
	data.members(traits, func(key string) string {
		if key == "id" || key == "email" {
			return ""
		}
		return key
	})
	if locale := e.Get("context.locale").String(); locale != "" && !has(traits, "language") {
		data.text("language", locale)
	}
	zone := e.Get("context.timezone").String()
	if hours, ok := hoursFromGMT(zone, e.Time()); ok && !has(traits, "timezone") {
		data.raw("timezone", hours)
		if !has(traits, "ianaTimezone") {
			data.text("ianaTimezone", zone)
		}
	}
	if agent := e.Get("context.userAgent").String(); agent != "" && !has(traits, "userAgent") {
		data.text("userAgent", agent)
	}
	return data.String()
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

// pushChannels returns the channels of a profile whose app told us its push
// token, or "". Vero documents an array; the single object that RudderStack
// sends is not known to work.
func pushChannels(e event.Event) string {
	token := e.Get("context.device.token")
	platform := pushPlatform(e)
	if token.Type != gjson.String || token.Str == "" || platform == "" {
		return ""
	}
	var channel object
	channel.text("type", "push")
	channel.text("address", token.Str)
	channel.text("platform", platform)
	return "[" + channel.String() + "]"
}

// pushPlatform returns ios or android, the platforms that Vero pushes to, or "".
func pushPlatform(e event.Event) string {
	for _, path := range []string{"context.device.type", "context.os.name"} {
		switch strings.ToLower(e.Get(path).String()) {
		case "ios", "ipados", "iphone os":
			return "ios"
		case "android":
			return "android"
		}
	}
	return ""
}
