package outbound

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// pushChannels returns the channels of a profile whose app told us its push
// token, or "". Vero documents an array; the single object that RudderStack
// sends is not known to work.
func pushChannels(e event.Event, style string) string {
	token := e.Get("context.device.token")
	if style == asNone || token.Type != gjson.String || token.Str == "" {
		return ""
	}
	if style == asRudderStack {
		return pushChannelObject(e, token.Str)
	}
	platform := pushPlatform(e)
	if platform == "" {
		return ""
	}
	var channel object
	channel.text("type", "push")
	channel.text("address", token.Str)
	channel.text("platform", platform)
	return "[" + channel.String() + "]"
}

// pushChannelObject is RudderStack's form, with the platform as the app says it.
func pushChannelObject(e event.Event, token string) string {
	platform := e.Get("context.os.name").String()
	if platform == "" {
		return ""
	}
	var channel object
	channel.text("type", "push")
	channel.text("address", token)
	channel.text("platform", platform)
	channel.textIfAny("device", e.Get("context.device.name").String())
	return channel.String()
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
