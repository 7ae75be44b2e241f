package story

import (
	"strings"

	"github.com/tidwall/gjson"
)

// calledAddresses returns the addresses that calls named their person by.
func calledAddresses(p *Place) []string {
	var all []string
	for _, c := range p.Calls {
		for _, path := range []string{"identity.email", "email"} {
			if email := gjson.GetBytes(c.Request, path).String(); strings.Contains(email, "@") {
				all = append(all, strings.ToLower(email))
			}
		}
	}
	return all
}
