package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// everySet is an environment in which every variable has a value.
func everySet(name string) (string, bool) {
	if name == "VERO_URL" {
		return "http://mock-vero:8082/api/v2", true
	}
	return "postgres://" + name, true
}

func readDoc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks returns the fenced blocks of one language in a document.
func blocks(text, language string) []string {
	var found []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}

// metricNames are the names of verobridge's metrics in a text.
var metricNames = regexp.MustCompile(`verobridge_[a-z_]+`)

func TestSettingsInDocsAreValid(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"README.md", "docs/mapping.md"} {
		examples := blocks(readDoc(t, name), "yaml")
		if len(examples) == 0 {
			t.Fatalf("%s has no settings", name)
		}
		for _, example := range examples {
			if _, err := parseSettings(name, []byte(example), everySet); err != nil {
				t.Errorf("%v\n%s", err, example)
			}
		}
	}
}

// The tables of settings, the mapping's on a page of its own, name every setting
// there is, and no other, with the default that it has.
func TestDocsListEverySetting(t *testing.T) {
	t.Parallel()
	documented := make(map[string]string)
	row := regexp.MustCompile("(?m)^\\| `([a-z_.\\[\\]*]+)` \\|(.*?)\\| .+ \\|$")
	for _, match := range row.FindAllStringSubmatch(readDoc(t, "README.md")+readDoc(t, "docs/mapping.md"), -1) {
		documented[match[1]] = strings.Trim(match[2], "` ")
	}
	defaults := make(map[string]string)
	listSettings(reflect.ValueOf(defaultSettings()), "", defaults)
	for path, value := range defaults {
		got, ok := documented[path]
		if !ok {
			t.Errorf("no table lists %s", path)
		}
		if value != "" && got != value {
			t.Errorf("a table says that %s defaults to %q, it does to %q", path, got, value)
		}
	}
	for path := range documented {
		if _, ok := defaults[path]; !ok {
			t.Errorf("a table lists %s, which is no setting", path)
		}
	}
}

// listSettings collects the paths of all settings below v, with their values.
func listSettings(v reflect.Value, path string, into map[string]string) {
	switch {
	case v.Kind() == reflect.Struct:
		for i, field := range reflect.VisibleFields(v.Type()) {
			listSettings(v.Field(i), strings.TrimPrefix(path+"."+field.Tag.Get("yaml"), "."), into)
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		listSettings(reflect.Zero(v.Type().Elem()), path+"[]", into)
	case v.Kind() == reflect.Map && v.Type().Elem().Kind() == reflect.Struct:
		listSettings(reflect.Zero(v.Type().Elem()), path+".*", into)
	case v.IsZero(), v.Kind() == reflect.Slice:
		into[path] = ""
	default:
		into[path] = fmt.Sprint(v.Interface())
	}
}

func TestReadmeQueriesRun(t *testing.T) {
	t.Parallel()
	queries := blocks(readDoc(t, "README.md"), "sql")
	if len(queries) < 3 {
		t.Fatalf("README.md has %d queries, want at least three", len(queries))
	}
	w := newWorld(t)
	w.send(t, shopping())
	w.receive(t)
	w.settle(t, "readme")
	for _, query := range queries {
		if _, err := w.db.Exec(t.Context(), query); err != nil {
			t.Errorf("%v\n%s", err, query)
		}
	}
}

// The links of the documents lead somewhere.
func TestDocumentLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md", "docs/operations.md", "docs/monitoring.md", "docs/mapping.md", "docs/analysts.md", "docs/performance.md", "docs/decisions/README.md"} {
		for _, match := range link.FindAllStringSubmatch(readDoc(t, name), -1) {
			if _, err := os.Stat(filepath.Join("../..", filepath.Dir(name), match[1])); err != nil {
				t.Errorf("%s links to %s: %v", name, match[1], err)
			}
		}
	}
}

// The containers start with settings that the program takes.
func TestComposeSettingsAreValid(t *testing.T) {
	t.Parallel()
	var compose struct {
		Configs struct {
			Settings struct {
				Content string `yaml:"content"`
			} `yaml:"settings"`
		} `yaml:"configs"`
	}
	if err := yaml.Load([]byte(readDoc(t, "docker-compose.yml")), &compose); err != nil {
		t.Fatal(err)
	}
	content := strings.ReplaceAll(compose.Configs.Settings.Content, "$$", "$")
	if _, err := parseSettings("docker-compose.yml", []byte(content), everySet); err != nil {
		t.Error(err)
	}
}
