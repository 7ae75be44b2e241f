package bench

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
)

// An event as a browser sends it, about 1 KB. The runs of # are replaced by
// digits, which make events, people and names distinct; nothing else changes.
const usualCall = `{"type":"track","messageId":"%s############","userId":"user-########","anonymousId":"8a0d7a3c-5b0e-4c5c-9d5e-0000########",` +
	`"event":"Bench Sent ####","timestamp":"2026-06-06T10:00:00.123Z","context":{"ip":"203.0.113.7",` +
	`"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36",` +
	`"library":{"name":"analytics.js","version":"next-1.84.3"},"locale":"en-GB","timezone":"Europe/London",` +
	`"page":{"path":"/checkout","referrer":"https://shop.example.com/cart","search":"","title":"Checkout","url":"https://shop.example.com/checkout"}},` +
	`"properties":{"order_id":"o-20260606-1","total":12.50,"currency":"EUR","coupon":null,"items":[{"sku":"a","price":1.10}],` +
	`"shipping":{"address":{"city":"Berlin","postalCode":"10115"}},"placed":"2026-06-06T10:00:00Z","gift":false}}`

// veroCall is what the bridge makes of a usual call for Vero.
const veroCall = `{"auth_token":"%s","identity":{"id":"user-########"},"event_name":"Bench Sent ####","data":{"order_id":"o-20260606-1","total":12.50,` +
	`"currency":"EUR","coupon":null,"items":[{"sku":"a","price":1.10}],"shipping":{"address":{"city":"Berlin","postalCode":"10115"}},` +
	`"placed":"2026-06-06T10:00:00Z","gift":false,"segment_message_id":"%s############"},"extras":{"source":"segment","created_at":"2026-06-06T10:00:00+0000"}}`

// eventTable is the table of the events called "Bench Sent 0000".
const eventTable = "bench_sent_0000"

const (
	idDigits     = 12
	personDigits = 8
	nameDigits   = 4
)

// request is the bytes of an HTTP request, with holes for what makes its events
// distinct. It belongs to one connection.
type request struct {
	bytes  []byte
	body   int // where it starts
	events int
	ids    []int // where the digits are, as many for each event
	people []int
	names  []int
}

// newRequest writes the request of a load.
func newRequest(l load, target *url.URL) *request {
	path, body := target.Path+"/v1/track", fmt.Sprintf(usualCall, l.Run)
	switch {
	case l.Vero:
		path, body = target.Path+"/events/track", fmt.Sprintf(veroCall, l.Key, l.Run)
	case l.Batch > 1:
		path, body = target.Path+"/v1/batch", `{"batch":[`+strings.Repeat(body+",", l.Batch-1)+body+`],"sentAt":"2026-06-06T10:00:01.456Z"}`
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", path, target.Host, len(body))
	if !l.Vero {
		head += "Authorization: Basic " + basic(l.Key) + "\r\n"
	}
	r := &request{bytes: []byte(head + "\r\n" + body), body: len(head) + 2, events: max(1, l.Batch)}
	for at := r.body; ; {
		from := bytes.IndexByte(r.bytes[at:], '#')
		if from < 0 {
			return r
		}
		at += from
		width := len(r.bytes[at:]) - len(bytes.TrimLeft(r.bytes[at:], "#"))
		switch width {
		case idDigits:
			r.ids = append(r.ids, at)
		case personDigits:
			r.people = append(r.people, at)
		case nameDigits:
			r.names = append(r.names, at)
		}
		at += width
	}
}

// number makes the events of the request distinct, from the first one's number on.
func (r *request) number(first, people, names int) {
	r.put(r.ids, idDigits, func(event int) int { return first + event })
	r.put(r.people, personDigits, func(event int) int { return (first + event) % people })
	r.put(r.names, nameDigits, func(event int) int { return (first + event) % names })
}

// put fills the places of all events with their numbers.
func (r *request) put(places []int, width int, number func(event int) int) {
	each := len(places) / r.events
	for i, at := range places {
		putDigits(r.bytes[at:][:width], number(i/each))
	}
}

// putDigits fills a field with a number.
func putDigits(field []byte, n int) {
	for i := len(field) - 1; i >= 0; i-- {
		field[i] = byte('0' + n%10)
		n /= 10
	}
}
