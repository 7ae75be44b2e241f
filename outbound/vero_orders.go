package outbound

import (
	"strconv"
	"strings"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// orderedProduct is the event of one product of an order, by which Segment's
// browser library lets emails be about a single product
// (segmentio/analytics.js-integrations, vero).
const orderedProduct = "Ordered Product"

// maxOrderedProducts bounds the calls that one event makes, one after the other.
const maxOrderedProducts = 250

// orderedProducts returns a call for each product of a completed order, where
// the settings want them. The order itself comes after them.
func (m mapping) orderedProducts(e event.Event, p person) Plan {
	if !m.OrderedProducts || !isOrder(e.Name()) {
		return Plan{}
	}
	products := e.Get("properties.products").Array()
	if len(products) > maxOrderedProducts {
		return Plan{Reason: delivery.ReasonManyProducts}
	}
	var plan Plan
	for i, product := range products {
		if !product.IsObject() {
			continue
		}
		data := new(object)
		data.members(m.present(product), unchanged)
		id := e.ID + ":" + strconv.Itoa(i)
		plan.Requests = append(plan.Requests, m.eventRequest(e, p, orderedProduct, data, id))
	}
	return plan
}

// isOrder says whether an event is the Order Completed of Segment's e-commerce
// spec, in the spellings that its libraries accept.
func isOrder(name string) bool {
	switch strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), "_", " ")) {
	case "order completed", "completed order":
		return true
	default:
		return false
	}
}
