package main

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// holdSettings say which events of anonymous visitors wait until they identify.
type holdSettings struct {
	Events []string `yaml:"events"`
	For    string   `yaml:"for"`
}

// maxHold is how long an event may be held: a year. An email about what was
// longer ago helps nobody.
const maxHold = 365 * 24 * time.Hour

// age returns how long events are held, 0 for the default.
func (h holdSettings) age() time.Duration {
	age, _ := parseAge(h.For) // it was validated
	return age
}

func (h holdSettings) validate(problem problemFunc) {
	if h.For != "" && len(h.Events) == 0 {
		problem("hold_anonymous.events", "is empty; list the track events to hold, such as [Cart Viewed], or remove hold_anonymous")
	}
	age, err := parseAge(h.For)
	if h.For != "" && (err != nil || age < time.Minute || age > maxHold) {
		problem("hold_anonymous.for", "must be a duration from 1m to 365d, such as 30d or 12h, not %q", h.For)
	}
}

// parseAge reads a duration, also one in days.
func parseAge(text string) (time.Duration, error) {
	if days, found := strings.CutSuffix(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, errors.New("not a number of days")
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(text)
}
