package main

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/verobridge/verobridge/outbound"
)

type destinationSettings struct {
	Name      string `yaml:"name"`
	Type      string `yaml:"type"`
	AuthToken string `yaml:"auth_token"`
	URL       string `yaml:"url"`
	WriteKey  string `yaml:"write_key"`

	// What is sent: how events become calls of Vero, and who must have agreed.
	Preset  string                        `yaml:"preset"`
	Mapping outbound.Mapping              `yaml:"mapping"`
	Events  map[string]outbound.EventRule `yaml:"events"`
	Consent outbound.Consent              `yaml:"consent"`

	// How calls are made. nil is the default.
	AllowPrivate bool           `yaml:"allow_private"`
	Concurrency  *int           `yaml:"concurrency"`
	Timeout      *time.Duration `yaml:"timeout"`
	Rate         float64        `yaml:"rate"` // 0 is no limit

	// Ambiguous is stop, the default, or retry: what becomes of an event of which
	// nobody knows whether it took effect.
	Ambiguous string `yaml:"ambiguous"`

	// HoldAnonymous is off unless it lists events.
	HoldAnonymous holdSettings `yaml:"hold_anonymous"`
}

// What becomes of an event in doubt.
const (
	ambiguousStop  = "stop"
	ambiguousRetry = "retry"
)

func (s settings) validateDestinations(problem problemFunc) {
	names := make(map[string]bool)
	for i, d := range s.Destinations {
		at := func(key string) string { return fmt.Sprintf("destinations[%d].%s", i, key) }
		if why := badName(d.Name, names); why != "" {
			problem(at("name"), "%s", why)
		}
		names[d.Name] = true
		within := func(key, format string, args ...any) { problem(at(key), format, args...) }
		d.validateCalls(within)
		d.validateMapping(within)
		d.HoldAnonymous.validate(within)
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

// validateMapping checks what is sent.
func (d destinationSettings) validateMapping(problem problemFunc) {
	if d.Type == typeSegment {
		for _, option := range []struct {
			key string
			set bool
		}{{"preset", d.Preset != ""}, {"mapping", !reflect.ValueOf(d.Mapping).IsZero()}, {"events", d.Events != nil}, {"hold_anonymous", len(d.HoldAnonymous.Events) > 0}} {
			if option.set {
				problem(option.key, "means nothing for type segment, which gets events as they came; remove it")
			}
		}
	}
	for _, p := range (outbound.VeroOptions{Preset: d.Preset, Mapping: d.Mapping, Events: d.Events, Consent: d.Consent}).Problems() {
		problem(p.Setting, "%s", p.Text)
	}
}

// validateCalls checks how the destination is called.
func (d destinationSettings) validateCalls(problem problemFunc) {
	var private *outbound.PrivateAddressError
	switch err := outbound.CheckURL(d.URL, d.AllowPrivate); {
	case d.URL == "" || err == nil:
	case errors.As(err, &private):
		problem("allow_private", "is false, and the url leads to the private address %s; set it to true if that is meant, or correct the url", private.Host)
	default:
		problem("url", "%v", err)
	}
	if d.Concurrency != nil && (*d.Concurrency < 1 || *d.Concurrency > maxConcurrency) {
		problem("concurrency", "must be from 1 to %d, the people for whom calls are made at once", maxConcurrency)
	}
	if d.Type == typeSegment && d.Concurrency != nil {
		problem("concurrency", "means nothing for type segment, whose batches go one after the other; remove it")
	}
	if d.Rate != 0 && d.Rate < 1 {
		problem("rate", "must be at least 1, the calls that may begin in a second, or 0 for no limit")
	}
	switch {
	case d.Ambiguous == "":
	case d.Type == typeSegment:
		problem("ambiguous", "means nothing for type segment, whose endpoints know events by their messageId; remove it")
	case d.Ambiguous != ambiguousStop && d.Ambiguous != ambiguousRetry:
		problem("ambiguous", "must be stop or retry, not %q", d.Ambiguous)
	}
	if d.Timeout != nil && (*d.Timeout <= 0 || *d.Timeout > maxTimeout) {
		problem("timeout", "must be above 0 and at most %s, the time that an answer may take", maxTimeout)
	}
}

const (
	// maxConcurrency bounds the connections to one destination.
	maxConcurrency = 1024
	// maxTimeout leaves time to repeat an event while Vero takes equal ones for
	// one.
	maxTimeout = 30 * time.Second
)
