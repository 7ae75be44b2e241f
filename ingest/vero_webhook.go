package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/verobridge/verobridge/internal/event"
)

// This file turns Vero's own webhooks into the calls that Vero's Segment source
// would send, so that both ways in end in the same tables.
//
//	{"type":"opened","opened_at":…,        {"type":"track","event":"Email Opened",
//	 "user":{"id":123,"email":…},     ─▶    "userId":123,"timestamp":…,
//	 "campaign":{"id":987,"name":…},        "context":{"traits":{"email":…},…},
//	 "message_id":…}                        "properties":{"campaign_id":987,…}}
//
// Fields that nobody here knows of become properties too. Numbers keep their
// digits: campaign ids have 16 of them.

// object is a JSON object whose numbers are json.Number.
type object = map[string]any

// veroEvents names the events of Vero's types, as Vero's Segment source does
// (segment-docs, Vero source) and, below the gap, by analogy. A type that Vero
// may add one day is named the same way: deferred, "Email Deferred".
var veroEvents = map[string]string{
	"sent":         "Email Sent",
	"delivered":    "Email Delivered",
	"opened":       "Email Opened",
	"clicked":      "Email Link Clicked",
	"bounced":      "Email Bounced",
	"unsubscribed": "Email Unsubscribed",
	"complained":   "Email Marked as Spam",

	"failed":       "Email Failed",
	"converted":    "Email Converted",
	"resubscribed": "Email Resubscribed",
}

// campaignProperties names the properties that a campaign's fields become; the
// last group is what unsubscribed calls the same things. Others get campaign_
// in front.
var campaignProperties = map[string]string{
	"id":            "campaign_id",
	"name":          "campaign_name",
	"subject":       "email_subject",
	"type":          "email_type",
	"permalink":     "email_permalink",
	"variation":     "variation",
	"trigger-event": "trigger_event",
	"channel":       "channel",
	"locale":        "locale",
	"sent_to":       "sent_to",

	"campaign_title": "campaign_name",
	"email_subject":  "email_subject",
	"message_id":     "email_id",
	"variation_name": "variation",
	"series_title":   "series_title",
	"template":       "template",
}

// hookProperties names the properties that a webhook's own fields become where
// it is not the field's name. The columns id and event are the call's own.
var hookProperties = map[string]string{
	"id":         "webhook_id",
	"message_id": "email_id",
	"url":        "link_url",
	"link":       "link_url",
	"event":      "trigger",
}

// elsewhere lists the fields of a webhook that go into another part of the
// call than its properties or traits.
var elsewhere = map[string]bool{
	"type": true, "action": true, "user": true, "campaign": true, "user_agent": true, "ip": true,
}

// veroType is what a type may look like: it becomes the name of a table.
var veroType = regexp.MustCompile(`^[a-z][a-z_]{0,39}$`)

// veroCall maps one webhook. raw must be a JSON object. A webhook without a
// known kind of type, or without a user, becomes a call that event.New refuses.
func veroCall(raw string) (string, error) {
	hook, err := decode(raw)
	if err != nil {
		return "", err
	}
	id, err := contentID(hook)
	if err != nil {
		return "", err
	}
	user, campaign := within(hook, "user"), within(hook, "campaign")
	known := traits(user)
	kind, _ := hook["type"].(string)
	call := object{"messageId": id, "type": hook["type"]}
	switch {
	case kind == "user_created", kind == "user_updated":
		user = profile(hook, user)
		known = object{}
		set(known, "email", user["email"])
		call["type"] = "identify"
		call["traits"] = traits(user)
	case veroType.MatchString(kind):
		call["type"] = "track"
		call["event"] = eventName(kind)
		call["properties"] = properties(kind, hook, campaign)
	}
	// Vero's rule: the user's id, else the address as an anonymous id.
	if userID := first(user["id"]); userID != nil {
		call["userId"] = userID
	} else if email := first(user["email"]); email != nil {
		call["anonymousId"] = email
	}
	if at, ok := epoch(hook[kind+"_at"]); ok {
		call["timestamp"] = at
	}
	call["context"] = veroContext(hook, campaign, known)
	text, err := json.Marshal(call)
	return string(text), err
}

// eventName names the event of a type.
func eventName(kind string) string {
	if name, known := veroEvents[kind]; known {
		return name
	}
	words := []string{"Email"}
	for word := range strings.FieldsFuncSeq(kind, func(c rune) bool { return c == '_' }) {
		words = append(words, strings.ToUpper(word[:1])+word[1:])
	}
	return strings.Join(words, " ")
}

// veroContext says where the call comes from, as Segment's partners do, and
// what is known of the recipient.
func veroContext(hook, campaign, known object) object {
	context := object{
		"integration": object{"name": "Vero", "version": "1.0.0"},
		"traits":      known,
	}
	set(context, "userAgent", hook["user_agent"])
	set(context, "ip", hook["ip"])
	set(context, "messageId", first(hook["message_id"], campaign["message_id"]))
	return context
}

// properties are those of a track call.
func properties(kind string, hook, campaign object) object {
	p := make(object)
	for _, field := range slices.Sorted(maps.Keys(campaign)) {
		name, known := campaignProperties[field]
		if !known {
			name = "campaign_" + field
		}
		set(p, name, campaign[field])
	}
	for _, field := range slices.Sorted(maps.Keys(hook)) {
		// The time is the timestamp of the call. Only these two are columns
		// besides; sent_at would even be mistaken for the call's own.
		isTime := field == kind+"_at" && field != "opened_at" && field != "clicked_at"
		if elsewhere[field] || isTime {
			continue
		}
		name, known := hookProperties[field]
		if !known {
			name = field
		}
		set(p, name, hook[field])
	}
	return p
}

// profile is the user of user_created and user_updated with all that is known.
// Vero's documentation shows id, email and custom properties inside the user,
// other samples beside it.
func profile(hook, user object) object {
	p := make(object)
	for field, value := range hook {
		if !elsewhere[field] {
			set(p, field, value)
		}
	}
	for field, value := range user {
		set(p, field, value)
	}
	return p
}

// traits are what is known of a user besides the id.
func traits(user object) object {
	t := make(object)
	for field, value := range user {
		if field != "id" {
			set(t, field, value)
		}
	}
	return t
}

// contentID derives the call's id from what the webhook says: Vero gives none,
// and a webhook that is sent again must be the same event. Key order and white
// space do not count. Two happenings that Vero describes in the same words, to
// the second, are one event, too.
func contentID(hook object) (string, error) {
	canonical, err := json.Marshal(hook) // sorts the keys
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return "vero-" + hex.EncodeToString(sum[:]), nil
}

// epoch reads one of Vero's times, in Unix seconds, and returns it in RFC 3339.
func epoch(v any) (string, bool) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		text = time.Unix(seconds, 0).UTC().Format(time.RFC3339)
	}
	at, ok := event.ParseTime(text)
	return event.FormatTime(at), ok
}

// decode reads a JSON object and keeps the digits of its numbers.
func decode(raw string) (object, error) {
	d := json.NewDecoder(strings.NewReader(raw))
	d.UseNumber()
	var o object
	err := d.Decode(&o)
	return o, err
}

// within returns the object in a field, empty if there is none.
func within(o object, field string) object {
	inner, ok := o[field].(object)
	if !ok {
		return object{}
	}
	return inner
}

// first returns the first value that says anything, or nil.
func first(values ...any) any {
	for _, v := range values {
		if text, isText := v.(string); v != nil && (!isText || strings.TrimSpace(text) != "") {
			return v
		}
	}
	return nil
}

// set sets a field to a value, unless that is null.
func set(o object, field string, value any) {
	if value != nil {
		o[field] = value
	}
}
