package outbound

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// Condition is what must hold for one field of an event. It holds if all of the
// tests that are set do. Numbers are compared as numbers, also where one of the
// two is a text; everything else as text.
type Condition struct {
	// Equals is the value that the field must have.
	Equals any `yaml:"equals"`
	// Not is a value that it must not have. A field that is missing has not.
	Not any `yaml:"not"`
	// In lists the values of which it must have one.
	In []any `yaml:"in"`
	// Exists says whether the field must be there. null is not.
	Exists *bool `yaml:"exists"`
	// Greater and Less are bounds that a number must be beyond. What is no number
	// is neither.
	Greater *float64 `yaml:"greater"`
	Less    *float64 `yaml:"less"`
}

// problem says what is wrong with a condition on a field, "" for nothing.
func (c Condition) problem(path string) string {
	place, field, _ := strings.Cut(path, ".")
	if !slices.Contains([]string{"properties", "traits", "context"}, place) || field == "" {
		return "is no field; write it as properties.total, traits.plan or context.locale"
	}
	if c.In != nil && len(c.In) == 0 {
		return "has an empty in, so that it never holds; list values, or drop the event"
	}
	if c.Equals == nil && c.Not == nil && c.In == nil && c.Exists == nil && c.Greater == nil && c.Less == nil {
		return "has no test; write one of equals, not, in, exists, greater, less"
	}
	return ""
}

// condition is a Condition made ready.
type condition struct {
	paths         []string // of gjson, the first that is there counts
	equals, in    []string // nil for no test
	not           []string
	exists        *bool
	greater, less *float64
}

func newConditions(settings map[string]Condition) []condition {
	var made []condition
	for _, path := range slices.Sorted(maps.Keys(settings)) {
		c := settings[path]
		made = append(made, condition{
			paths:   pathsOf(path),
			equals:  texts(c.Equals),
			not:     texts(c.Not),
			in:      texts(c.In...),
			exists:  c.Exists,
			greater: c.Greater,
			less:    c.Less,
		})
	}
	return made
}

// pathsOf returns the gjson paths of a field. Events other than identify have
// their person's traits in the context.
func pathsOf(path string) []string {
	parts := strings.Split(path, ".")
	for i, part := range parts {
		parts[i] = gjson.Escape(part)
	}
	escaped := strings.Join(parts, ".")
	if parts[0] == "traits" {
		return []string{escaped, "context." + escaped}
	}
	return []string{escaped}
}

// texts returns the values as text, nil for none.
func texts(values ...any) []string {
	var all []string
	for _, v := range values {
		if v != nil {
			all = append(all, fmt.Sprint(v))
		}
	}
	return all
}

// met says whether all conditions of the rule hold.
func (r rule) met(e event.Event) bool {
	return !slices.ContainsFunc(r.conditions, func(c condition) bool { return !c.holds(e) })
}

func (c condition) holds(e event.Event) bool {
	text, there := c.read(e)
	switch {
	case c.exists != nil && *c.exists != there,
		c.equals != nil && (!there || !oneEquals(c.equals, text)),
		c.in != nil && (!there || !oneEquals(c.in, text)),
		c.not != nil && there && oneEquals(c.not, text):
		return false
	}
	if c.greater == nil && c.less == nil {
		return true
	}
	number, err := strconv.ParseFloat(text, 64)
	return err == nil &&
		(c.greater == nil || number > *c.greater) &&
		(c.less == nil || number < *c.less)
}

// read returns the field as text, and whether it is there.
func (c condition) read(e event.Event) (text string, there bool) {
	for _, path := range c.paths {
		switch v := e.Get(path); v.Type {
		case gjson.Null:
		case gjson.String:
			return v.Str, true
		default:
			return v.Raw, true
		}
	}
	return "", false
}

func oneEquals(values []string, text string) bool {
	return slices.ContainsFunc(values, func(value string) bool { return value == text || sameNumber(value, text) })
}

// sameNumber compares whole numbers to the last digit, which ids need.
func sameNumber(a, b string) bool {
	i, errI := strconv.ParseInt(a, 10, 64)
	j, errJ := strconv.ParseInt(b, 10, 64)
	if errI == nil && errJ == nil {
		return i == j
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return cmp.Or(errX, errY) == nil && x == y
}
