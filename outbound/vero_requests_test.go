package outbound

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// TestPlanGolden maps each call under testdata/vero. The bodies are compared
// byte by byte: Vero's de-duplication depends on them.
func TestPlanGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/vero/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	m := mapping{name: "main", names: presets[PresetDefault]}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".golden"), func(t *testing.T) {
			t.Parallel()
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
		})
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

func TestPlanBySettings(t *testing.T) {
	t.Parallel()
	const (
		viewed = `{"type":"track","messageId":"m-1","userId":"1","event":"Product Viewed","properties":{"url":"u"},"timestamp":"2026-06-06T10:15:30Z"}`
		bare   = `{"type":"track","messageId":"m-1","userId":"1","event":"Ping","timestamp":"2026-06-06T10:15:30Z"}`
	)
	tests := map[string]struct {
		mapping mapping
		call    string
		want    string
	}{
		"source of type vero": {
			mapping: mapping{sources: map[string]bool{"app": true}},
			call:    bare,
			want:    "skipped loop_guard\n",
		},
		"preset none": {
			mapping: mapping{names: presets[PresetNone]},
			call:    viewed,
			want:    "POST events/track\n" + `{"identity":{"id":"1"},"event_name":"Product Viewed","data":{"url":"u","segment_message_id":"m-1"},"extras":{"source":"segment","created_at":"2026-06-06T10:15:30+0000"}}` + "\n",
		},
		"without messageId, properties are left": {
			mapping: mapping{omitMessageID: true},
			call:    viewed,
			want:    "POST events/track\n" + `{"identity":{"id":"1"},"event_name":"Product Viewed","data":{"url":"u"},"extras":{"source":"segment","created_at":"2026-06-06T10:15:30+0000"}}` + "\n",
		},
		"without messageId and properties, check_id tells events apart": {
			mapping: mapping{omitMessageID: true},
			call:    bare,
			want:    "POST events/track\n" + `{"identity":{"id":"1"},"event_name":"Ping","extras":{"source":"segment","created_at":"2026-06-06T10:15:30+0000","check_id":"m-1"}}` + "\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, render(tt.mapping.plan(accept(t, tt.call)))); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlanOfRejected(t *testing.T) {
	t.Parallel()
	var why *event.RejectError
	_, err := event.New([]byte(`{"type":"track"}`), event.Stamp{})
	if !errors.As(err, &why) {
		t.Fatalf("event.New accepts a call without anything: %v", err)
	}
	plan := mapping{}.plan(event.Reject([]byte(`{"type":"track","userId":"1"}`), event.Stamp{Source: "app", ReceivedAt: received}, why))
	if got := plan.settle().Status(); got != delivery.StatusSkipped || len(plan.Requests) > 0 {
		t.Errorf("a rejected event is %s with %d requests, want it skipped", got, len(plan.Requests))
	}
}

// TestPlanIsStable states what makes retries safe: a plan depends on the event
// alone, its bodies are valid JSON, and nobody is named by an anonymousId.
func TestPlanIsStable(t *testing.T) {
	t.Parallel()
	text := rapid.StringMatching(`[a-zA-Z"\\<>&@. \x00-\x1fäß語]{0,20}`)
	rapid.Check(t, func(t *rapid.T) {
		object := rapid.MapOfN(text, rapid.OneOf(
			text.AsAny(), rapid.Float64Range(-1e9, 1e9).AsAny(), rapid.Bool().AsAny(), rapid.SliceOfN(text, 0, 3).AsAny(),
		), 0, 5)
		call := map[string]any{
			"type":        rapid.SampledFrom([]string{"track", "identify", "page", "screen", "group", "alias"}).Draw(t, "type"),
			"messageId":   "m-" + text.Draw(t, "messageId"),
			"userId":      text.Draw(t, "userId"),
			"anonymousId": "ANONYMOUS",
			"previousId":  "p",
			"groupId":     "g",
			"event":       "e" + text.Draw(t, "event"),
			"name":        text.Draw(t, "name"),
			"properties":  object.Draw(t, "properties"),
			"traits":      object.Draw(t, "traits"),
			"timestamp":   "2026-06-06T10:15:30Z",
			"context":     map[string]any{"traits": map[string]any{"email": text.Draw(t, "email")}, "locale": text.Draw(t, "locale"), "timezone": text.Draw(t, "timezone")},
		}
		raw, err := json.Marshal(call)
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.New(raw, event.Stamp{Source: "app", ReceivedAt: received})
		if err != nil {
			return // refused at the door
		}
		m := mapping{name: "main", names: presets[PresetDefault]}
		plan, again := m.plan(e), m.plan(e)
		if (len(plan.Requests) == 0) != (plan.Reason != "") {
			t.Fatalf("plan has %d requests and reason %q", len(plan.Requests), plan.Reason)
		}
		for i, r := range plan.Requests {
			if !bytes.Equal(r.Body, again.Requests[i].Body) {
				t.Fatalf("bodies differ:\n%s\n%s", r.Body, again.Requests[i].Body)
			}
			if !json.Valid(r.Body) {
				t.Fatalf("body is not JSON: %s", r.Body)
			}
			if bytes.Contains(r.Body, []byte("ANONYMOUS")) {
				t.Fatalf("body names the anonymousId: %s", r.Body)
			}
		}
	})
}
