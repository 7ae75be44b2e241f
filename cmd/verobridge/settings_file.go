package main

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// parseSettings reads a settings file. Unlike the YAML package alone it names
// the key with its line, knows which keys would have been right, and replaces
// ${NAME} inside values only after parsing, so that a secret may hold any
// character.
func parseSettings(file string, text []byte, env environment) (settings, error) {
	s := defaultSettings()
	var document yaml.Node
	if err := yaml.Load(text, &document); err != nil && len(bytes.TrimSpace(text)) > 0 {
		return settings{}, fmt.Errorf("%s is not valid YAML: %w", file, err)
	}
	r := &settingsReader{file: file, env: env, lines: make(map[string]int)}
	if len(document.Content) > 0 {
		r.read(document.Content[0], reflect.TypeFor[settings](), "")
		if len(r.problems) > 0 {
			return settings{}, errors.Join(r.problems...)
		}
		if err := document.Content[0].Load(&s); err != nil {
			return settings{}, fmt.Errorf("%s: %w", file, err)
		}
	}
	return s, s.validate(r.place)
}

// settingsReader walks a file beside the type that it is for.
type settingsReader struct {
	file     string
	env      environment
	lines    map[string]int // by path, such as sources[0].name
	problems []error
}

// place says where a setting stands, or, for one that is missing, where its
// nearest surrounding one does.
func (r *settingsReader) place(path string) string {
	for near := path; near != ""; {
		if line, ok := r.lines[near]; ok {
			return fmt.Sprintf("%s:%d: %s", r.file, line, path)
		}
		near = near[:max(strings.LastIndexAny(near, ".["), 0)]
	}
	return fmt.Sprintf("%s: %s", r.file, path)
}

func (r *settingsReader) problem(path, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s %s", r.place(path), fmt.Sprintf(format, args...)))
}

func (r *settingsReader) read(node *yaml.Node, want reflect.Type, path string) {
	r.lines[path] = node.Line
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
	case want.Kind() == reflect.Pointer:
		r.read(node, want.Elem(), path)
	case want.Kind() == reflect.Struct:
		r.readKeys(node, want, path)
	case want.Kind() == reflect.Map:
		r.readMap(node, want, path)
	case want.Kind() == reflect.Slice:
		if node.Kind != yaml.SequenceNode {
			r.problem(path, "must be a list")
			return
		}
		for i, item := range node.Content {
			r.read(item, want.Elem(), fmt.Sprintf("%s[%d]", path, i))
		}
	case node.Kind != yaml.ScalarNode:
		r.problem(path, "must be a single value")
	default:
		r.expand(node, path)
		if form, ok := parses(node.Value, want); !ok {
			r.problem(path, "must be %s, not %q", form, node.Value)
		}
	}
}

// parses says whether a value is of a type, and what that looks like.
func parses(value string, want reflect.Type) (form string, ok bool) {
	var err error
	switch kind := want.Kind(); {
	case want == reflect.TypeFor[time.Duration]():
		form = "a duration, such as 15s"
		_, err = time.ParseDuration(value)
	case kind == reflect.Int, kind == reflect.Int64:
		form = "a whole number, such as 4194304"
		_, err = strconv.ParseInt(value, 10, 64)
	case kind == reflect.Float64:
		form = "a number, such as 100"
		_, err = strconv.ParseFloat(value, 64)
	case kind == reflect.Bool:
		form = "true or false"
		_, err = strconv.ParseBool(value)
	}
	return form, err == nil
}

func (r *settingsReader) readKeys(node *yaml.Node, want reflect.Type, path string) {
	if node.Kind != yaml.MappingNode {
		r.problem(path, "must hold keys: %s", strings.Join(keysOf(want), ", "))
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		inner := key.Value
		if path != "" {
			inner = path + "." + key.Value
		}
		field, known := fieldOf(want, key.Value)
		if !known {
			r.lines[inner] = key.Line
			r.problem(inner, "is not a setting; the settings here are %s", strings.Join(keysOf(want), ", "))
			continue
		}
		r.read(value, field, inner)
	}
}

// readMap reads keys that are of the user's choice.
func (r *settingsReader) readMap(node *yaml.Node, want reflect.Type, path string) {
	if node.Kind != yaml.MappingNode {
		r.problem(path, "must hold keys with values, as in {a: b}")
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		r.read(node.Content[i+1], want.Elem(), path+"."+node.Content[i].Value)
	}
}

func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for f := range t.Fields() {
		if f.Tag.Get("yaml") == key {
			return f.Type, true
		}
	}
	return nil, false
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		keys = append(keys, f.Tag.Get("yaml"))
	}
	slices.Sort(keys)
	return keys
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand replaces each ${NAME} of a value by its environment variable.
func (r *settingsReader) expand(node *yaml.Node, path string) {
	node.Value = variable.ReplaceAllStringFunc(node.Value, func(reference string) string {
		name := variable.FindStringSubmatch(reference)[1]
		value, set := r.env(name)
		if !set || value == "" {
			r.problem(path, "uses %s, which is not set; set the environment variable %s", reference, name)
		}
		return value
	})
}
