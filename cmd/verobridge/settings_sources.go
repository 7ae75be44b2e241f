package main

import (
	"fmt"
	"net/url"
	"slices"
)

type sourceSettings struct {
	Name         string   `yaml:"name"`
	Type         string   `yaml:"type"`
	WriteKeys    []string `yaml:"write_keys"`
	Disabled     bool     `yaml:"disabled"`
	RateLimit    float64  `yaml:"rate_limit"`
	Destinations []string `yaml:"destinations"`

	// Trust is server, the default, or browser: then everybody can read the
	// write keys, and what follows says what may be done with them.
	Trust           string   `yaml:"trust"`
	Origins         []string `yaml:"origins"`
	Events          []string `yaml:"events"`
	TriggersPerHour int      `yaml:"triggers_per_hour"`
}

// The kinds of trust in a source.
const (
	trustServer  = "server"
	trustBrowser = "browser"
)

func (s settings) validateSources(problem problemFunc) {
	if len(s.Sources) == 0 {
		problem("sources", "is empty; without a source nobody can send events")
	}
	names, keys := make(map[string]bool), make(map[string]string)
	for i, source := range s.Sources {
		within := func(key, format string, args ...any) {
			problem(fmt.Sprintf("sources[%d].%s", i, key), format, args...)
		}
		if why := badName(source.Name, names); why != "" {
			within("name", "%s", why)
		}
		names[source.Name] = true
		if source.Type != "" && source.Type != typeApp && source.Type != typeVero {
			within("type", "must be app or vero, not %q", source.Type)
		}
		if source.RateLimit < 0 {
			within("rate_limit", "must be the events per second that a write key may send, or 0 for no limit")
		}
		source.validateKeys(within, keys)
		source.validateTrust(within)
		s.validateRoutes(within, source)
	}
}

// validateKeys also notes the keys as the source's.
func (s sourceSettings) validateKeys(problem problemFunc, owners map[string]string) {
	if len(s.WriteKeys) == 0 {
		problem("write_keys", "is empty; a source needs a write key, a secret of your choice")
	}
	for i, key := range s.WriteKeys {
		path := fmt.Sprintf("write_keys[%d]", i)
		switch other, taken := owners[key]; {
		case key == "":
			problem(path, "is empty; a write key is a secret of your choice")
		case taken:
			problem(path, "is also a write key of source %s; each key belongs to one source", other)
		}
		owners[key] = s.Name
	}
}

func (s sourceSettings) validateTrust(problem problemFunc) {
	browser := s.Trust == trustBrowser
	if !browser && s.Trust != "" && s.Trust != trustServer {
		problem("trust", "must be server or browser, not %q", s.Trust)
	}
	if browser && s.Type == typeVero {
		problem("trust", "must be server: what comes from Vero comes from its servers")
	}
	if browser && len(s.Origins) == 0 {
		problem("origins", `is missing; list the origins of your pages, such as "https://www.example.com", or "*" for all and for mobile apps`)
	}
	for i, origin := range s.Origins {
		if origin != "*" && !isOrigin(origin) {
			problem(fmt.Sprintf("origins[%d]", i), "must be a scheme and a host, such as https://www.example.com, not %q", origin)
		}
	}
	if !browser && len(s.Events) > 0 {
		problem("events", "limits only a source with trust: browser; set that, or remove the list")
	}
	if !browser && s.TriggersPerHour != 0 {
		problem("triggers_per_hour", "limits only a source with trust: browser; set that, or remove it")
	}
	if s.TriggersPerHour < 0 {
		problem("triggers_per_hour", "must be at least 1; to allow no triggers leave events empty")
	}
}

// validateRoutes checks where the source's events go.
func (s settings) validateRoutes(problem problemFunc, source sourceSettings) {
	for i, name := range source.Destinations {
		path := fmt.Sprintf("destinations[%d]", i)
		switch k := slices.IndexFunc(s.Destinations, func(d destinationSettings) bool { return d.Name == name }); {
		case name == "warehouse":
			problem(path, "is not needed: every source goes to the warehouse")
		case k < 0:
			problem(path, "%q is not among the destinations", name)
		case source.Type == typeVero && s.Destinations[k].Type == typeVero:
			problem(path, "would send Vero's own events back to Vero; remove it")
		}
	}
}

// isOrigin says whether text is what a browser sends as Origin.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme != "" && u.Host != "" && text == u.Scheme+"://"+u.Host
}
