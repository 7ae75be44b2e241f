package outbound

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// EventRule says what is special about the events of one name.
type EventRule struct {
	// Name is the event's name at Vero. Defaults to that of the preset.
	Name string `yaml:"name"`
	// Drop keeps the events from Vero.
	Drop bool `yaml:"drop"`
	// If are conditions by the path of a field, such as properties.total. The
	// event is sent if all of them hold. Defaults to none.
	If map[string]Condition `yaml:"if"`
	// Properties says which properties Vero gets. For identify calls they are the
	// traits.
	Properties PropertyRules `yaml:"properties"`
}

// PropertyRules choose and rename properties. They apply in the order of the
// fields; names are those that the app sends.
type PropertyRules struct {
	// Only lists the properties that are kept. Defaults to all.
	Only []string `yaml:"only"`
	// Drop lists those that are not. Defaults to none.
	Drop []string `yaml:"drop"`
	// Rename gives properties another name, unless the event has one of that name
	// too. Defaults to none.
	Rename map[string]string `yaml:"rename"`
	// Add are constants; they replace a property of the same name. Defaults to
	// none.
	Add map[string]any `yaml:"add"`
}

func (p PropertyRules) empty() bool {
	return len(p.Only) == 0 && len(p.Drop) == 0 && len(p.Rename) == 0 && len(p.Add) == 0
}

// rule is an EventRule made ready. The zero rule changes nothing.
type rule struct {
	name       string
	drop       bool
	conditions []condition
	only       map[string]bool // nil for all
	without    map[string]bool
	rename     map[string]string
	constants  []constant
}

// constant is a property that is added, as JSON.
type constant struct{ key, value string }

// ruleKey is the key of the rule that an event goes by: its name, and for other
// calls than track their type.
func ruleKey(e event.Event) string {
	if e.Type == event.Track {
		return e.Name()
	}
	return string(e.Type)
}

// newRules lays the rules of the settings over a preset's table, so that a
// condition for Order Completed leaves it the name of the table.
func newRules(table, settings map[string]EventRule) map[string]rule {
	rules := make(map[string]rule, len(table)+len(settings))
	for key, r := range table {
		rules[key] = newRule(r)
	}
	for key, r := range settings {
		base := table[key]
		if r.Name == "" {
			r.Name = base.Name
		}
		renamed := maps.Clone(base.Properties.Rename)
		if renamed == nil {
			renamed = make(map[string]string)
		}
		maps.Copy(renamed, r.Properties.Rename)
		r.Properties.Rename = renamed
		rules[key] = newRule(r)
	}
	return rules
}

func newRule(r EventRule) rule {
	made := rule{
		name:       r.Name,
		drop:       r.Drop,
		conditions: newConditions(r.If),
		without:    setOf(r.Properties.Drop),
		rename:     r.Properties.Rename,
	}
	if r.Properties.Only != nil {
		made.only = setOf(r.Properties.Only)
	}
	for _, key := range slices.Sorted(maps.Keys(r.Properties.Add)) {
		value, _ := encode(r.Properties.Add[key]) // checked by problems
		made.constants = append(made.constants, constant{key, value})
	}
	return made
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// write adds properties to the data as the rule wants them.
func (r rule) write(data *object, properties gjson.Result) {
	data.members(properties, func(key string) string {
		if !r.keeps(key) {
			return ""
		}
		name := key
		if to := r.rename[key]; to != "" && (!r.keeps(to) || !has(properties, to)) {
			name = to
		}
		if slices.ContainsFunc(r.constants, func(c constant) bool { return c.key == name }) {
			return ""
		}
		return name
	})
	for _, c := range r.constants {
		data.raw(c.key, c.value)
	}
}

func (r rule) keeps(key string) bool { return (r.only == nil || r.only[key]) && !r.without[key] }

// problems finds what cannot be meant. key is the event or call it is for.
func (r EventRule) problems(key string) []Problem {
	var found []Problem
	problem := func(setting, format string, args ...any) {
		found = append(found, Problem{"events." + key + "." + setting, fmt.Sprintf(format, args...)})
	}
	kind := event.Type(key)
	if r.Name != "" && (kind == event.Identify || kind == event.Group || kind == event.Alias) {
		problem("name", "means nothing for %s calls, which have no name at Vero; remove it", key)
	}
	if !r.Properties.empty() && (kind == event.Group || kind == event.Alias) {
		problem("properties", "means nothing for %s calls; remove it", key)
	}
	if err := checkLength("the name", r.Name); err != nil {
		problem("name", "is too long: %v", err)
	}
	if len(r.Properties.Only) > 0 && len(r.Properties.Drop) > 0 {
		problem("properties.drop", "is not needed beside only, which lists all that is kept; remove one of them")
	}
	taken := make(map[string]string)
	for _, from := range slices.Sorted(maps.Keys(r.Properties.Rename)) {
		to := r.Properties.Rename[from]
		switch other, twice := taken[to]; {
		case to == "":
			problem("properties.rename."+from, "is empty; to leave a property out, list it in drop")
		case twice:
			problem("properties.rename."+from, "gives the name %q, which %q gets too; choose another", to, other)
		}
		taken[to] = from
	}
	for _, name := range slices.Sorted(maps.Keys(r.Properties.Add)) {
		if _, err := encode(r.Properties.Add[name]); err != nil {
			problem("properties.add."+name, "cannot be written as JSON: %v", err)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(r.If)) {
		if text := r.If[path].problem(path); text != "" {
			problem("if."+path, "%s", text)
		}
	}
	return found
}

// encode writes a value of the settings as JSON, with <, > and & readable.
func encode(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}
