package outbound

import (
	"fmt"
	"slices"

	"github.com/verobridge/verobridge/internal/event"
)

// Consent is what a person must have agreed to before an event of theirs goes to
// a destination. The event itself says so, in
// context.consent.categoryPreferences (segment-docs,
// consent-in-segment-connections).
type Consent struct {
	// Required lists the ids of categories, all of which must be true. Defaults
	// to none: everything is sent.
	Required []string `yaml:"required"`
	// Unknown is what happens to events that have no preferences at all,
	// ConsentAllow or ConsentDeny. Defaults to ConsentAllow, which is Segment's
	// way.
	Unknown string `yaml:"unknown"`
}

// The values of Consent.Unknown.
const (
	ConsentAllow = "allow"
	ConsentDeny  = "deny"
)

// given says whether the event may be sent. Where there are preferences, a
// category that is not among them counts as refused.
func (c Consent) given(e event.Event) bool {
	if len(c.Required) == 0 {
		return true
	}
	preferences := e.Get("context.consent.categoryPreferences")
	if !preferences.IsObject() {
		return c.Unknown != ConsentDeny
	}
	agreed := preferences.Map()
	return !slices.ContainsFunc(c.Required, func(category string) bool {
		answer, asked := agreed[category]
		return !asked || !answer.IsBool() || !answer.Bool()
	})
}

// Problems returns what is wrong with the settings.
func (c Consent) Problems() []Problem {
	var found []Problem
	for i, category := range c.Required {
		if category == "" {
			found = append(found, Problem{fmt.Sprintf("consent.required[%d]", i), "is empty; write the id of a category of your consent manager"})
		}
	}
	if c.Unknown != "" && c.Unknown != ConsentAllow && c.Unknown != ConsentDeny {
		found = append(found, Problem{"consent.unknown", fmt.Sprintf("must be allow or deny, not %q", c.Unknown)})
	}
	if c.Unknown != "" && len(c.Required) == 0 {
		found = append(found, Problem{"consent.required", "is missing; list the categories that people must have agreed to, or remove consent"})
	}
	return found
}
