package outbound

import (
	"encoding/json"
	"time"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// The bounds of one request to a Segment-compatible endpoint. Segment takes
// 500 KB and 2,500 events, and no event of more than 32 KB; others take larger
// ones, so what is too large is the endpoint's to say (segment-docs,
// sources/catalog/libraries/server/http-api, "Batch"). A hundred events are as
// many as its own SDKs send at most, and few to send again.
const (
	maxBatchEvents = 100
	maxBatchBytes  = 500_000
)

// batchOverhead is more than a batch's body has beside its events.
const batchOverhead = 100

// segmentItem returns an event as an item of a batch: the call as accepted, with
// its messageId and timestamps. Left out are receivedAt, which the next server
// stamps, and sentAt: the timestamp is corrected for the client's clock already,
// and the next server would correct it again.
func segmentItem(e event.Event) json.RawMessage {
	var item object
	item.members(gjson.ParseBytes(e.Body), func(key string) string {
		switch key {
		case "sentAt", "receivedAt", "writeKey":
			return ""
		default:
			return key
		}
	})
	return json.RawMessage(item.String())
}

// segmentBatch returns the body of a request. sentAt is the bridge's own clock,
// which the next server compares with its own.
func segmentBatch(items []json.RawMessage, sentAt time.Time) []byte {
	body := []byte(`{"batch":[`)
	for i, item := range items {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, item...)
	}
	body = append(body, `],"sentAt":`...)
	body = append(body, quote(sentAt.UTC().Format(time.RFC3339Nano))...)
	return append(body, '}')
}

// batches splits items, keeping their order, into runs that a request can
// carry, and returns the length of each. An item that is too large is alone:
// the endpoint decides about it.
func batches(items []json.RawMessage) []int {
	var lengths []int
	count, size := 0, batchOverhead
	for _, item := range items {
		more := len(item) + len(",")
		if count > 0 && (count == maxBatchEvents || size+more > maxBatchBytes) {
			lengths = append(lengths, count)
			count, size = 0, batchOverhead
		}
		count++
		size += more
	}
	if count > 0 {
		lengths = append(lengths, count)
	}
	return lengths
}
