package preview

import (
	"cmp"
	"encoding/json"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/outbound"
)

// Mapper is a Vero destination of some settings, which is asked what it would
// send.
type Mapper struct {
	// Vero maps. It sends nothing here.
	Vero *outbound.Vero
	// Accept says whether the event's source sends to the destination, and if
	// not, why.
	Accept func(event.Event) (bool, delivery.Reason)
	// URL is the destination's, without a slash at its end.
	URL string
}

// Result is what becomes of one call.
type Result struct {
	MessageID string     `json:"message_id,omitempty"`
	Type      event.Type `json:"type,omitempty"`
	Event     string     `json:"event,omitempty"`
	Source    string     `json:"source"`
	Status    string     `json:"status"` // as in verobridge.deliveries, or rejected
	Reason    string     `json:"reason"`
	Detail    string     `json:"detail"`
	Requests  []Request  `json:"requests"`
}

// Request is one request to Vero, but for the credentials.
type Request struct {
	Method string          `json:"method"`
	URL    string          `json:"url"`
	Body   json.RawMessage `json:"body"`
}

// Map says what would become of the call.
func (m *Mapper) Map(c Call) Result {
	if c.Rejected != nil {
		return Result{
			Source: c.Event.Source, Status: string(event.Rejected),
			Reason: string(c.Rejected.Reason), Detail: "not accepted: " + c.Rejected.Detail, Requests: []Request{},
		}
	}
	plan := m.plan(c.Event)
	outcome := plan.Outcome()
	result := Result{
		MessageID: c.Event.ID, Type: c.Event.Type, Event: c.Event.Name(), Source: c.Event.Source,
		Status: string(outcome.Status()), Reason: string(outcome.Reason()), Detail: outcome.Detail(),
		Requests: make([]Request, len(plan.Requests)),
	}
	for i, r := range plan.Requests {
		result.Requests[i] = Request{r.Method, m.URL + "/" + r.Path, r.Body}
	}
	return result
}

// plan returns what the destination would do, also where its source sends it
// nothing.
func (m *Mapper) plan(e event.Event) outbound.Plan {
	if wanted, reason := m.Accept(e); !wanted {
		return outbound.Plan{Reason: cmp.Or(reason, delivery.ReasonNotRouted)}
	}
	return m.Vero.Plan(e)
}
