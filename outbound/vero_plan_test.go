package outbound

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// received is when the events of the tests arrive.
var received = time.Date(2026, 6, 6, 10, 15, 31, 0, time.UTC)

func accept(t testing.TB, raw string) event.Event {
	t.Helper()
	e, err := event.New([]byte(raw), event.Stamp{Source: "app", ReceivedAt: received})
	if err != nil {
		t.Fatalf("event.New(%s): %v", raw, err)
	}
	return e
}

// newTestMapping returns the mapping of a destination named main.
func newTestMapping(t testing.TB, o VeroOptions) mapping {
	t.Helper()
	for _, problem := range o.Problems() {
		t.Fatal(problem)
	}
	o.Name = "main"
	return newMapping(o)
}

// TestPlanGolden maps each call under testdata/vero by the preset that its
// folder is named after. The bodies are compared byte by byte: Vero's
// de-duplication depends on them.
func TestPlanGolden(t *testing.T) {
	t.Parallel()
	for preset := range presets {
		m := newTestMapping(t, VeroOptions{Preset: preset})
		files, err := filepath.Glob(filepath.Join("testdata/vero", preset, "*.golden"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no golden files of preset %s: %v", preset, err)
		}
		for _, file := range files {
			t.Run(preset+"/"+strings.TrimSuffix(filepath.Base(file), ".golden"), func(t *testing.T) {
				t.Parallel()
				compareGolden(t, m, file)
			})
		}
	}
}

// compareGolden reads a sentence, a call and a plan, and maps the call.
func compareGolden(t *testing.T, m mapping, file string) {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, want, found := strings.Cut(string(raw), "-- plan --\n")
	why, call, found2 := strings.Cut(head, "-- call --\n")
	if !found || !found2 {
		t.Fatal("want a sentence, -- call --, a call, -- plan --, a plan")
	}
	got := render(m.plan(accept(t, call)))
	if *update {
		if err := os.WriteFile(file, []byte(head+"-- plan --\n"+got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", strings.TrimSpace(why), diff)
	}
}

// render writes a plan as the golden files have it.
func render(p Plan) string {
	var b strings.Builder
	for _, r := range p.Requests {
		fmt.Fprintf(&b, "%s %s\n%s\n", r.Method, r.Path, r.Body)
	}
	if p.Reason != "" {
		fmt.Fprintf(&b, "%s %s\n", p.settle().Status(), p.Reason)
	}
	if p.Err != nil {
		fmt.Fprintln(&b, p.Err)
	}
	return b.String()
}

func TestPlanOfRejected(t *testing.T) {
	t.Parallel()
	var why *event.RejectError
	_, err := event.New([]byte(`{"type":"track"}`), event.Stamp{})
	if !errors.As(err, &why) {
		t.Fatalf("event.New accepts a call without anything: %v", err)
	}
	plan := newTestMapping(t, VeroOptions{}).plan(event.Reject([]byte(`{"type":"track","userId":"1"}`), event.Stamp{Source: "app", ReceivedAt: received}, why))
	if got := plan.settle().Status(); got != delivery.StatusSkipped || len(plan.Requests) > 0 {
		t.Errorf("a rejected event is %s with %d requests, want it skipped", got, len(plan.Requests))
	}
}

// TestPlanIsStable states, for all presets and options, what makes retries safe:
// a plan depends on the event alone. Its bodies are JSON objects in which no key
// is twice, nothing in them is too long for Vero, calls of one event differ, and
// nobody is named by an anonymousId unless the settings say so.
func TestPlanIsStable(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.StringMatching(`[a-zA-Z"\\<>&@. \x00-\x1fäß語]{0,20}`), rapid.SampledFrom([]string{
		"id", "email", "userAgent", "timezone", "segment_message_id", "a", "b", "Unsubscribe", "Order Completed", strings.Repeat("ä", 254), strings.Repeat("x", 255),
	}))
	rapid.Check(t, func(t *rapid.T) {
		o := VeroOptions{
			Preset: rapid.SampledFrom(slices.Sorted(maps.Keys(presets))).Draw(t, "preset"),
			Mapping: Mapping{
				OrderedProducts: rapid.Bool().Draw(t, "ordered products"),
				DeleteEvent:     rapid.SampledFrom([]string{"", "b"}).Draw(t, "delete event"),
				Dedup:           rapid.SampledFrom([]string{"", dedupCheckID, dedupMessageID}).Draw(t, "dedup"),
			},
			Events: map[string]EventRule{},
		}
		for _, key := range rapid.SliceOf(rapid.SampledFrom([]string{"a", "Order Completed", "page", "identify"})).Draw(t, "rules") {
			o.Events[key] = EventRule{Properties: PropertyRules{
				Drop:   rapid.SliceOf(text).Draw(t, "drop"),
				Rename: map[string]string{"a": "b", "b": "c", "email": "segment_message_id"},
				Add:    map[string]any{text.Draw(t, "add"): 1},
			}}
		}
		for _, problem := range o.Problems() {
			t.Fatal(problem)
		}
		m := newMapping(o)

		e, err := event.New(drawCall(t, text), event.Stamp{Source: "app", ReceivedAt: received})
		if err != nil {
			return // refused at the door
		}
		plan, again := m.plan(e), m.plan(e)
		if len(plan.Requests) == 0 && plan.Reason == "" {
			t.Fatal("nothing is sent and nobody knows why")
		}
		bodies := make(map[string]bool)
		for i, r := range plan.Requests {
			if !bytes.Equal(r.Body, again.Requests[i].Body) {
				t.Fatalf("bodies differ:\n%s\n%s", r.Body, again.Requests[i].Body)
			}
			if bodies[string(r.Body)] && m.Dedup == dedupMessageID {
				t.Fatalf("two calls are the same: %s", r.Body)
			}
			bodies[string(r.Body)] = true
			checkBody(t, r.Body)
			if bytes.Contains(r.Body, []byte("ANONYMOUS")) && !m.takesID(idOfAnonymous) {
				t.Fatalf("body names the anonymousId: %s", r.Body)
			}
		}
	})
}

// drawCall returns any call of Segment's spec.
func drawCall(t *rapid.T, text *rapid.Generator[string]) []byte {
	object := rapid.MapOfN(text, rapid.OneOf(
		text.AsAny(), rapid.Float64Range(-1e9, 1e9).AsAny(), rapid.Bool().AsAny(), rapid.SliceOfN(text, 0, 3).AsAny(),
	), 0, 5)
	properties := object.Draw(t, "properties")
	if rapid.Bool().Draw(t, "has products") {
		properties["products"] = rapid.SliceOfN(object, 0, 3).Draw(t, "products")
	}
	raw, err := json.Marshal(map[string]any{
		"type":        rapid.SampledFrom([]string{"track", "identify", "page", "screen", "group", "alias"}).Draw(t, "type"),
		"messageId":   "m-" + text.Draw(t, "messageId"),
		"userId":      text.Draw(t, "userId"),
		"anonymousId": "ANONYMOUS",
		"previousId":  "p",
		"groupId":     "g",
		"event":       text.Draw(t, "event"),
		"name":        text.Draw(t, "name"),
		"properties":  properties,
		"traits":      object.Draw(t, "traits"),
		"timestamp":   "2026-06-06T10:15:30Z",
		"context": map[string]any{
			"traits": map[string]any{"email": text.Draw(t, "email")}, "locale": text.Draw(t, "locale"),
			"timezone": text.Draw(t, "timezone"), "userAgent": text.Draw(t, "user agent"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// checkBody fails if Vero could not take the body.
func checkBody(t *rapid.T, body []byte) {
	if !json.Valid(body) {
		t.Fatalf("body is not JSON: %s", body)
	}
	for _, path := range []string{"id", "email", "new_id", "identity.id", "identity.email", "event_name"} {
		if n := utf8.RuneCountInString(gjson.GetBytes(body, path).String()); n >= maxVeroText {
			t.Fatalf("%s has %d characters: %s", path, n, body)
		}
	}
	for _, path := range []string{"@this", "data", "identity", "extras", "changes"} {
		seen := make(map[string]bool)
		gjson.GetBytes(body, path).ForEach(func(key, _ gjson.Result) bool {
			if seen[key.Str] {
				t.Fatalf("%s is twice in %s: %s", key.Str, path, body)
			}
			seen[key.Str] = true
			return true
		})
	}
}
