package mockvero

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
)

// userAgent is who opens and clicks.
const userAgent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15"

// webhook returns what Vero posts when k happens to the email, as a native
// webhook. No webhook says which link was clicked (getvero-docs, "Setting up
// webhooks").
func (m email) webhook(k kind, at time.Time) []byte {
	hook := map[string]any{
		"type":            k,
		string(k) + "_at": at.Unix(),
		"user":            m.webhookUser(),
	}
	if k == unsubscribed {
		// This one type has a campaign of its own shape.
		hook["campaign"] = map[string]any{
			"campaign_title": m.campaignName(),
			"series_title":   m.event,
			"channel":        "email",
			"message_id":     m.messageID(),
			"email_subject":  m.subject(),
			"variation_name": "Control",
			"template":       "Default template",
		}
		return encode(hook)
	}
	hook["message_id"] = m.messageID()
	hook["campaign"] = map[string]any{
		"id":            m.campaignID(),
		"type":          "transactional",
		"name":          m.campaignName(),
		"group":         m.campaignName() + " - Email 1",
		"channel":       "email",
		"subject":       m.subject(),
		"trigger-event": sameName(m.event),
		"permalink":     m.permalink(),
		"sent_to":       m.address,
		"variation":     "Variation A",
		"locale":        "en-US",
	}
	switch k {
	case opened, clicked:
		hook["user_agent"] = userAgent
	case bounced:
		hook["bounce_type"] = "hard"
		hook["bounce_code"] = 550
		hook["bounce_message"] = "5.1.1 The email account that you tried to reach does not exist."
	}
	return encode(hook)
}

// webhookUser names the person. An id that is a number is sent as one.
func (m email) webhookUser() map[string]any {
	user := map[string]any{"email": m.address}
	switch number, err := strconv.ParseInt(m.userID, 10, 53); {
	case m.knownByAddress():
	case err == nil && strconv.FormatInt(number, 10) == m.userID:
		user["id"] = number
	default:
		user["id"] = m.userID
	}
	return user
}

// segmentNames are the collections of Vero's Segment source (segment-docs,
// sources/catalog/vero).
var segmentNames = map[kind]string{
	sent:         "Email Sent",
	delivered:    "Email Delivered",
	opened:       "Email Opened",
	clicked:      "Email Link Clicked",
	bounced:      "Email Bounced",
	unsubscribed: "Email Unsubscribed",
	complained:   "Email Marked as Spam",
}

// segmentCall returns the same as webhook as a track call of Segment's email
// spec.
func (m email) segmentCall(k kind, at time.Time) []byte {
	context := map[string]any{
		"integration": map[string]any{"name": "vero", "version": "1.0.0"},
		"traits":      map[string]any{"email": m.address},
	}
	properties := map[string]any{
		"campaign_id":     m.campaignID(),
		"campaign_name":   m.campaignName(),
		"email_id":        binary.BigEndian.Uint32(m.key[:4]),
		"email_subject":   m.subject(),
		"email_type":      "transactional",
		"email_permalink": m.permalink(),
	}
	switch k {
	case clicked:
		properties["link_url"] = "https://shop.example.com/"
		fallthrough
	case opened:
		properties[string(k)+"_at"] = at.Unix()
		context["ip"] = "203.0.113.9"
		context["userAgent"] = userAgent
	}
	call := map[string]any{
		"type":       "track",
		"messageId":  "vero-" + hex.EncodeToString(m.key[:16]) + "-" + string(k),
		"event":      segmentNames[k],
		"timestamp":  at.UTC().Format("2006-01-02T15:04:05.000Z"),
		"context":    context,
		"properties": properties,
	}
	if m.knownByAddress() {
		call["anonymousId"] = m.address
	} else {
		call["userId"] = m.userID
	}
	return encode(call)
}

func encode(v map[string]any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	return raw
}
