package people

import (
	"slices"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/delivery"
)

// Scrub takes out of reports what names people who were erased since they were
// made: their ids, and the calls.
func (p *People) Scrub(reports []delivery.Report) []delivery.Report {
	if p.suppressions.size() == 0 {
		return reports
	}
	scrubbed := slices.Clone(reports)
	for i, r := range scrubbed {
		if slices.ContainsFunc(namedIn(r), p.suppressions.Has) {
			scrubbed[i].UserID, scrubbed[i].AnonymousID, scrubbed[i].Calls = "", "", nil
		}
	}
	return scrubbed
}

// namedIn returns whom a report and the requests in it name.
func namedIn(r delivery.Report) []Identifier {
	ids := []Identifier{{User, r.UserID}, {Email, r.UserID}}
	if r.UserID == "" {
		ids = append(ids, Identifier{Anonymous, r.AnonymousID}, Identifier{Email, r.AnonymousID})
	}
	for _, c := range r.Calls {
		for _, path := range []string{"id", "email", "identity.id", "identity.email"} {
			if value := gjson.GetBytes(c.Request, path).String(); value != "" {
				ids = append(ids, Identifier{User, value}, Identifier{Email, value})
			}
		}
	}
	return slices.DeleteFunc(ids, func(id Identifier) bool { return id.Value == "" })
}
