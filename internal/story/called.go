package story

import (
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/delivery"
)

// calledAddresses returns the addresses that calls named their person by.
func calledAddresses(calls []delivery.Call) []string {
	var all []string
	for _, c := range calls {
		for _, path := range []string{"identity.email", "email"} {
			if email := gjson.GetBytes(c.Request, path).String(); strings.Contains(email, "@") {
				all = append(all, strings.ToLower(email))
			}
		}
	}
	return all
}

// calledNames returns the names by which Vero may know an event: its own, and
// those that the mapping gave it.
func calledNames(s *Story, p *Place) map[string]bool {
	names := map[string]bool{sameName(s.Event): true}
	for _, c := range p.Calls {
		if name := gjson.GetBytes(c.Request, "event_name").String(); name != "" {
			names[sameName(name)] = true
		}
	}
	return names
}

// calledAt returns when a destination got an event. That may be long after its
// receipt: behind an outage, or as a dead letter that was sent again.
func calledAt(s *Story, p *Place) time.Time {
	for _, c := range p.Calls {
		if c.Status >= 200 && c.Status < 300 {
			return c.At.UTC()
		}
	}
	if !p.SettledAt.IsZero() {
		return p.SettledAt
	}
	return s.ReceivedAt
}
