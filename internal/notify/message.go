package notify

import (
	"encoding/json"
	"fmt"
	"time"
)

// payload is what is posted. Slack and what imitates it show text; the other fields
// are for programs.
type payload struct {
	Text        string     `json:"text"`
	Bridge      string     `json:"bridge"`
	Phase       Phase      `json:"phase"`
	Kind        string     `json:"kind"`
	Severity    Severity   `json:"severity"`
	Destination string     `json:"destination,omitempty"`
	Reason      string     `json:"reason,omitempty"`
	Since       time.Time  `json:"since"`
	Until       *time.Time `json:"until,omitempty"`
}

// payload returns a message as the bridge of a name sends it.
func (m message) payload(bridge string) ([]byte, error) {
	a := m.alert
	p := payload{
		Text: m.text(bridge), Bridge: bridge, Phase: m.phase, Kind: a.Kind, Severity: a.Severity,
		Destination: a.Destination, Reason: string(a.Reason), Since: a.Since.UTC().Truncate(time.Second),
	}
	if m.phase == Over {
		until := m.at.UTC().Truncate(time.Second)
		p.Until = &until
	}
	return json.Marshal(p)
}

// text says the news to people.
func (m message) text(bridge string) string {
	a, lasted := m.alert, m.at.Sub(m.alert.Since)
	switch m.phase {
	case Over:
		return fmt.Sprintf("verobridge %s: over after %s: %s", bridge, words(lasted), a.What)
	case Lasts:
		return fmt.Sprintf("verobridge %s, %s for %s now: %s. %s", bridge, a.Severity, words(lasted), a.What, a.Cure)
	default:
		return fmt.Sprintf("verobridge %s, %s: %s. %s", bridge, a.Severity, a.What, a.Cure)
	}
}
