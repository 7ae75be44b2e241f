package warehouse

import "github.com/verobridge/verobridge/internal/event"

// ownSchema holds verobridge's own tables, which the migrations package makes.
const ownSchema = "verobridge"

// rejectedColumns are the columns of verobridge.rejected_events.
var rejectedColumns = columns{
	"id": typeText, "source": typeText, "received_at": typeTimestamptz,
	"reason": typeText, "detail": typeText, "body": typeText,
}

// rejectedRecord keeps a call that was refused at the door, under the id that
// the door gave it.
func rejectedRecord(e event.Event) record {
	c := cells{
		{"id", value{text, cleanText(e.ID)}},
		{"received_at", timeValue(e.ReceivedAt)},
		{"source", value{text, cleanText(e.Source)}},
	}
	for _, column := range []string{"reason", "detail", "body"} {
		c = append(c, cell{column, value{text, cleanText(e.Get(column).String())}})
	}
	return record{rows: []row{{
		table: table{ownSchema, "rejected_events"}, id: cleanText(e.ID), own: c, standard: rejectedColumns, receivedAt: e.ReceivedAt,
	}}}
}
