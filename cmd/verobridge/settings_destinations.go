package main

import "fmt"

type destinationSettings struct {
	Name      string `yaml:"name"`
	Type      string `yaml:"type"`
	AuthToken string `yaml:"auth_token"`
	URL       string `yaml:"url"`
	WriteKey  string `yaml:"write_key"`
	Preset    string `yaml:"preset"`
}

func (s settings) validateDestinations(problem problemFunc) {
	names := make(map[string]bool)
	for i, d := range s.Destinations {
		at := func(key string) string { return fmt.Sprintf("destinations[%d].%s", i, key) }
		if why := badName(d.Name, names); why != "" {
			problem(at("name"), "%s", why)
		}
		names[d.Name] = true
		switch d.Type {
		case typeVero:
			if d.AuthToken == "" {
				problem(at("auth_token"), "is missing; set it to the Tracking API key of your Vero project (Settings > Project > Tracking API keys)")
			}
		case typeSegment:
			if d.URL == "" {
				problem(at("url"), "is missing; set it to the endpoint that speaks Segment's protocol, such as https://eu.example.com")
			}
			if d.WriteKey == "" {
				problem(at("write_key"), "is missing; set it to the write key that this endpoint expects")
			}
		default:
			problem(at("type"), "must be vero or segment, not %q", d.Type)
		}
	}
}
