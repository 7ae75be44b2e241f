package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/verobridge/verobridge/internal/event"
)

// description is the served document, as JSON values.
type description map[string]any

func readDescription(t *testing.T) description {
	t.Helper()
	var document any
	if err := yaml.Load(openAPIDocument, &document); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	values, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return values.(map[string]any)
}

// at returns what a JSON pointer such as #/paths/~1v1~1track leads to, through
// references.
func (d description) at(t *testing.T, pointer string) any {
	t.Helper()
	var value any = map[string]any(d)
	for _, token := range strings.Split(strings.TrimPrefix(pointer, "#/"), "/") {
		within, ok := value.(map[string]any)
		if !ok {
			t.Fatalf("%s leads nowhere", pointer)
		}
		if value, ok = within[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]; !ok {
			t.Fatalf("%s leads nowhere", pointer)
		}
		value = d.resolved(t, value)
	}
	return value
}

func (d description) resolved(t *testing.T, value any) any {
	t.Helper()
	if object, ok := value.(map[string]any); ok {
		if reference, ok := object["$ref"].(string); ok {
			return d.at(t, reference)
		}
	}
	return value
}

// operations returns the methods of each path.
func (d description) operations(t *testing.T) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	for path, item := range d["paths"].(map[string]any) {
		for key := range d.resolved(t, item).(map[string]any) {
			if key != "parameters" {
				found[path] = append(found[path], strings.ToUpper(key))
			}
		}
	}
	return found
}

// testHandler returns a handler with all routes, and a folder of scripts for
// them.
func testHandler(t *testing.T, keep func([]event.Event)) *handler {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{bundleScript, "file.js"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("//"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h, err := NewHandler(Options{
		Sources:      []Source{{Name: "app", WriteKeys: []string{"key"}}, {Name: "vero", Vero: true, WriteKeys: []string{"vero"}}},
		Spool:        appender(keep),
		AnalyticsDir: dir,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h.(*handler)
}

type appender func([]event.Event)

func (a appender) Append(_ context.Context, events ...event.Event) error {
	a(events)
	return nil
}

// The document is an OpenAPI 3.1 document by the schema of its makers, and its
// own schemas are schemas.
func TestOpenAPIIsValid(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	compiler := jsonschema.NewCompiler()
	schema, err := compiler.Compile("testdata/openapi-3.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(map[string]any(d)); err != nil {
		t.Error(err)
	}
	for _, reference := range regexp.MustCompile(`\$ref: "([^"]+)"`).FindAllSubmatch(openAPIDocument, -1) {
		d.at(t, string(reference[1]))
	}
	for name := range d.at(t, "#/components/schemas").(map[string]any) {
		d.schema(t, "#/components/schemas/"+name)
	}
}

// schema compiles a schema of the document.
func (d description) schema(t *testing.T, pointer string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("openapi.yaml", map[string]any(d)); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("openapi.yaml" + pointer)
	if err != nil {
		t.Fatalf("%s: %v", pointer, err)
	}
	return schema
}

// Every route is in the document, and every path of the document is a route
// that takes the methods it says and refuses others.
func TestOpenAPIMatchesTheRoutes(t *testing.T) {
	t.Parallel()
	h := testHandler(t, func([]event.Event) {})
	documented := readDescription(t).operations(t)

	var routes []string
	if err := h.router.(*mux.Router).Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		routes = append(routes, path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for path := range documented {
		paths = append(paths, canonical(path))
	}
	slices.Sort(routes)
	slices.Sort(paths)
	if diff := cmp.Diff(routes, paths); diff != "" {
		t.Errorf("routes and documented paths (-routes +documented):\n%s", diff)
	}

	for path, methods := range documented {
		key := "key"
		if strings.HasPrefix(path, "/webhooks/vero") {
			key = "vero"
		}
		address := strings.NewReplacer("{writeKey}", key, "{file}", "file.js", "{type}", "track").Replace(path)
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), method, address, strings.NewReader(`{"batch":[]}`))
			r.SetBasicAuth("key", "")
			h.ServeHTTP(w, r)
			if refused := w.Code == http.StatusMethodNotAllowed; refused == slices.Contains(methods, method) || w.Code == http.StatusNotFound {
				t.Errorf("%s %s is answered %d; documented are %v", method, address, w.Code, methods)
			}
		}
	}
}

// Each example fits its schema, and is accepted as it stands.
func TestOpenAPIExamplesAreAccepted(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	success := d.schema(t, "#/components/schemas/Success")
	examples := 0
	for path, methods := range d.operations(t) {
		if !slices.Contains(methods, http.MethodPost) || path == "/v1/m" {
			continue
		}
		place := "#/paths/" + strings.ReplaceAll(path, "/", "~1") + "/post/requestBody"
		body := d.at(t, place).(map[string]any)
		example := body["content"].(map[string]any)["application/json"].(map[string]any)["example"]
		if schema, ok := body["content"].(map[string]any)["application/json"].(map[string]any)["schema"].(map[string]any)["$ref"].(string); ok {
			if err := d.schema(t, schema).Validate(example); err != nil {
				t.Errorf("%s: the example does not fit: %v", path, err)
			}
		}
		text, err := json.Marshal(example)
		if err != nil {
			t.Fatal(err)
		}
		var kept []event.Event
		h := testHandler(t, func(events []event.Event) { kept = append(kept, events...) })
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, strings.Replace(path, "{writeKey}", "vero", 1), bytes.NewReader(text))
		r.SetBasicAuth("key", "")
		h.ServeHTTP(w, r)
		answer, err := jsonschema.UnmarshalJSON(w.Body)
		if err != nil || w.Code != http.StatusOK || success.Validate(answer) != nil {
			t.Errorf("%s: the example is answered %d %v, %v", path, w.Code, answer, err)
		}
		if len(kept) == 0 {
			t.Errorf("%s: the example is no event", path)
		}
		for _, e := range kept {
			if e.Type == event.Rejected {
				t.Errorf("%s: the example is refused: %s", path, e.Body)
			}
		}
		examples++
	}
	if examples != 18 {
		t.Errorf("%d examples were sent, want one for each path that takes events", examples)
	}
}

// The codes of failures are a contract too: the document lists those that there
// are in this package, and no other.
func TestOpenAPIListsEveryFailure(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	documented := make(map[string]bool)
	for _, code := range d.at(t, "#/components/schemas/Failure/properties/code/enum").([]any) {
		documented[code.(string)] = true
	}
	source, err := os.ReadFile("answer.go")
	if err != nil {
		t.Fatal(err)
	}
	used := make(map[string]bool)
	for _, match := range regexp.MustCompile(`code: "(\w+)"`).FindAllSubmatch(source, -1) {
		used[string(match[1])] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(documented))); diff != "" {
		t.Errorf("codes (-used +documented):\n%s", diff)
	}

	// And an answer is what its schema says.
	schema := d.schema(t, "#/components/schemas/Failure")
	h := testHandler(t, func([]event.Event) {})
	for _, body := range []string{`{`, `{}`, `{"writeKey":"nobody"}`} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/track", strings.NewReader(body)))
		answer, err := jsonschema.UnmarshalJSON(w.Body)
		if err != nil || schema.Validate(answer) != nil {
			t.Errorf("%s is answered %v: %v, %v", body, answer, err, schema.Validate(answer))
		}
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	t.Parallel()
	h := testHandler(t, func([]event.Event) {})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/openapi.yaml", nil))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/yaml" || !bytes.Equal(w.Body.Bytes(), openAPIDocument) {
		t.Errorf("answer is %d %s", w.Code, fmt.Sprint(w.Header()))
	}
}
