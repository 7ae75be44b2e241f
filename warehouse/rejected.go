package warehouse

import (
	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// ownSchema holds verobridge's own tables, which the migrations package makes.
const ownSchema = "verobridge"

// rejectedColumns are the columns of verobridge.rejected_events.
var rejectedColumns = columns{
	"id": typeText, "source": typeText, "received_at": typeTimestamptz,
	"reason": typeText, "detail": typeText, "body": typeText,
	"message_id": typeText, "user_id": typeText, "anonymous_id": typeText,
}

// maxRejectedID bounds what the call said of itself, in bytes: an index does not
// take a longer text, and an id of that length may be why it was refused.
const maxRejectedID = 1024

// rejectedRecord keeps a call that was refused at the door, under the id that
// the door gave it.
func rejectedRecord(e event.Event) record {
	c := cells{
		{"id", value{kind: text, text: cleanText(e.ID)}},
		{"received_at", timeValue(e.ReceivedAt)},
		{"source", value{kind: text, text: cleanText(e.Source)}},
	}
	for _, column := range []string{"reason", "detail", "body"} {
		c = append(c, cell{column, value{kind: text, text: cleanText(e.Get(column).String())}})
	}
	body := e.Get("body").String()
	for _, id := range []struct{ column, field string }{
		{"message_id", "messageId"}, {"user_id", "userId"}, {"anonymous_id", "anonymousId"},
	} {
		// A body that is no JSON says nothing, or something that was meant.
		v := gjson.Get(body, id.field)
		if said := v.String(); said != "" && (v.Type == gjson.String || v.Type == gjson.Number) {
			c = append(c, cell{id.column, value{kind: text, text: cleanText(said[:min(len(said), maxRejectedID)])}})
		}
	}
	return record{rows: []row{{
		table: table{ownSchema, "rejected_events"}, id: cleanText(e.ID), own: c, standard: rejectedColumns, receivedAt: e.ReceivedAt,
	}}}
}
