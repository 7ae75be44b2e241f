package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/preview"
)

// writeFile writes a file of the test and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mapSettings are settings with what is said of the destination.
func mapSettings(t *testing.T, destination string) string {
	t.Helper()
	return writeFile(t, "verobridge.yaml", `
warehouse: {url: "postgres://localhost/db"}
sources:
  - {name: vero, type: vero, write_keys: [k1]}
  - {name: app, write_keys: [k2], destinations: [vero]}
  - {name: web, write_keys: [k3], trust: browser, origins: ["*"], destinations: [vero]}
  - {name: other, write_keys: [k4]}
destinations:
  - {name: vero, type: vero, auth_token: the-token`+destination+`}
`)
}

// runMap runs map and returns its output and exit code.
func runMap(t *testing.T, args ...string) (out string, code int, err error) {
	t.Helper()
	var stdout bytes.Buffer
	err = run(t.Context(), append([]string{"map"}, args...), environmentOf(nil), &stdout, io.Discard)
	if err != nil {
		code = exitCode(err)
	}
	return stdout.String(), code, err
}

const (
	mapSignedUp = `{"type":"track","messageId":"m1","userId":"7","event":"Signed Up","properties":{"price":1.10},"timestamp":"2026-06-06T10:15:30Z"}`
	mapPing     = `{"type":"track","messageId":"m2","userId":"7","event":"Ping","timestamp":"2026-06-06T10:15:30Z"}`
	mapNobody   = `{"type":"page","messageId":"m3","anonymousId":"a"}`
)

func TestMapShowsRequestsAndReasons(t *testing.T) {
	t.Parallel()
	calls := writeFile(t, "calls.ndjson", mapSignedUp+"\n"+mapNobody+"\n"+`{"type":"track","userId":"7"}`+"\n")
	out, code, err := runMap(t, "--config", mapSettings(t, ""), calls)
	if err != nil || code != 0 {
		t.Fatal(err)
	}
	want := `track "Signed Up" from app (m1)
  POST https://api.getvero.com/api/v2/events/track
  {
    "identity": {
      "id": "7"
    },
    "event_name": "Signed up",
    "data": {
      "price": 1.10,
      "segment_message_id": "m1"
    },
    "extras": {
      "source": "segment",
      "created_at": "2026-06-06T10:15:30+0000"
    }
  }

page from app (m3)
  no_identity: not sent, because the event has neither a userId nor an id or e-mail address in its traits; identify the person first

a call from app
  no_event_name: not accepted: a track call needs the name of its event, a string in "event"

`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Calls may be one after the other, in arrays, and in bodies of batches, whose
// context and integrations are those of each call.
func TestMapReadsCalls(t *testing.T) {
	t.Parallel()
	config := mapSettings(t, "")
	for name, test := range map[string]struct{ calls, want string }{
		"lines":              {mapSignedUp + "\n\n" + mapPing, "m1 delivered, m2 delivered"},
		"an array":           {"[" + mapSignedUp + "," + mapPing + "]", "m1 delivered, m2 delivered"},
		"over several lines": {strings.ReplaceAll(mapPing, ",", ",\n"), "m2 delivered"},
		"a batch":            {`{"batch":[` + mapPing + `],"integrations":{"Vero":false}}`, "m2 skipped"},
		"two files' worth":   {`{"batch":[` + mapPing + `]}` + mapSignedUp, "m2 delivered, m1 delivered"},
		"nothing":            {"", ""},
	} {
		out, _, err := runMap(t, "--config", config, "--json", writeFile(t, "calls.json", test.calls))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for line := range strings.Lines(out) {
			var m preview.Result
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			got = append(got, m.MessageID+" "+m.Status)
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// The source decides what a call may do, as in the running bridge.
func TestMapGoesByTheSource(t *testing.T) {
	t.Parallel()
	config, calls := mapSettings(t, ""), writeFile(t, "calls.ndjson", mapPing)
	for source, want := range map[string]string{
		"app": `"event_name": "Ping"`, "web": "browser_event: ", "other": "not_routed: ", "vero": "not_routed: ",
	} {
		out, _, err := runMap(t, "--config", config, "--source", source, calls)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("from %s: %v\n%s", source, err, out)
		}
	}
}

func TestMapAgainst(t *testing.T) {
	t.Parallel()
	calls := writeFile(t, "calls.ndjson", mapSignedUp+mapPing+mapNobody)
	plain := mapSettings(t, "")
	other := mapSettings(t, `, mapping: {id: [user_id, anonymous_id]}, events: {Signed Up: {name: Joined, properties: {add: {shop: ulm}}}, Ping: {drop: true}}`)

	out, code, err := runMap(t, "--config", plain, "--against", plain, calls)
	if err != nil || code != 0 || out != "0 of 3 events differ; requests: 0 added, 0 removed, 0 changed\n" {
		t.Errorf("the same settings: %v, code %d\n%s", err, code, out)
	}

	out, code, err = runMap(t, "--config", plain, "--against", other, calls)
	if err == nil || err.Error() != "" || code != 1 {
		t.Errorf("other settings: error %v, code %d", err, code)
	}
	head, tail, _ := strings.Cut(out, "page from app (m3)")
	want := `track "Signed Up" from app (m1)
  changed POST https://api.getvero.com/api/v2/events/track
    - event_name: "Signed up"
    + event_name: "Joined"
    + data.shop: "ulm"

track "Ping" from app (m2)
  removed POST https://api.getvero.com/api/v2/events/track
    - identity.id: "7"
    - event_name: "Ping"
    - data.segment_message_id: "m2"
    - extras.source: "segment"
    - extras.created_at: "2026-06-06T10:15:30+0000"
  delivered -> dropped_by_mapping: not sent, because the destination's events setting drops events of this name

`
	if diff := cmp.Diff(want, head); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(tail, `+ identity.id: "a"`) || !strings.HasSuffix(tail, "\n3 of 3 events differ; requests: 1 added, 1 removed, 1 changed\n") {
		t.Errorf("the rest is\n%s", tail)
	}

	out, _, _ = runMap(t, "--config", plain, "--against", other, "--json", calls)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var sum mapSummary
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil || sum != (mapSummary{3, 3, 1, 1, 1}) {
		t.Errorf("summary %+v, %v", sum, err)
	}
	var d mapDifference
	if err := json.Unmarshal([]byte(lines[0]), &d); err != nil || len(d.Changes) != 1 || string(d.Changes[0].Fields[0].New) != `"Joined"` {
		t.Errorf("difference %+v, %v", d, err)
	}
}

// Requests to one endpoint are compared in their order.
func TestCompareMapped(t *testing.T) {
	t.Parallel()
	request := func(body string) preview.Request {
		return preview.Request{Method: "POST", URL: "u", Body: json.RawMessage(body)}
	}
	before := preview.Result{Requests: []preview.Request{request(`{"a":{},"b":1}`), request(`{"c":[1,2]}`)}}
	after := preview.Result{Requests: []preview.Request{request(`{"a":{"x":1},"b":1}`), request(`{"c":[1,2]}`), request(`{"d":null}`)}}
	for _, test := range []struct {
		from, to preview.Result
		want     string
	}{
		{before, before, ""},
		{before, after, "changed a: {}->, a.x: ->1; added d: ->null; "},
		{after, before, "changed a.x: 1->, a: ->{}; removed d: null->; "},
	} {
		var got strings.Builder
		for _, c := range compareMapped(test.from, test.to).Changes {
			var fields []string
			for _, f := range c.Fields {
				fields = append(fields, fmt.Sprintf("%s: %s->%s", f.Path, f.Old, f.New))
			}
			fmt.Fprintf(&got, "%s %s; ", c.Kind, strings.Join(fields, ", "))
		}
		if got.String() != test.want {
			t.Errorf("got %q, want %q", got.String(), test.want)
		}
	}
}

// Mistakes are answered with what to do; with --against they end with 2, which
// is not the 1 of a difference.
func TestMapErrors(t *testing.T) {
	t.Parallel()
	plain, calls := mapSettings(t, ""), writeFile(t, "calls.ndjson", mapPing)
	relay := writeFile(t, "relay.yaml", `
warehouse: {url: "postgres://localhost/db"}
sources: [{name: app, write_keys: [k2], destinations: [relay]}]
destinations: [{name: relay, type: segment, url: "https://example.com", write_key: w}]
`)
	for name, test := range map[string]struct {
		args []string
		want string
		code int
	}{
		"cut off":           {[]string{"-c", plain, writeFile(t, "cut.json", mapPing+"\n{\"type\":")}, "cut.json:2:9 is not JSON", 1},
		"not JSON":          {[]string{"-c", plain, writeFile(t, "bad.json", mapPing+"\n\n{type}")}, "bad.json:3:2 is not JSON", 1},
		"no such file":      {[]string{"-c", plain, "none.json"}, "read the calls: open none.json", 1},
		"no such source":    {[]string{"-c", plain, "--source", "x", calls}, `--source "x" is not among the sources`, 1},
		"other destination": {[]string{"-c", plain, "--destination", "x", calls}, `no destination "x" of type vero; they have: vero`, 1},
		"no Vero":           {[]string{"-c", relay, calls}, "no destination of type vero, so that Vero gets nothing", 1},
		"no such settings":  {[]string{"-c", plain, "--against", "none.yaml", calls}, "no settings file none.yaml", 2},
		"files and --last":  {[]string{"-c", plain, "--last", "3", calls}, "leave out the files, or --last", 1},
		"no bridge":         {[]string{"-c", plain, "--admin", "http://127.0.0.1:1", "--last", "3"}, "is it running?", 1},
	} {
		_, code, err := runMap(t, test.args...)
		if err == nil || !strings.Contains(err.Error(), test.want) || code != test.code {
			t.Errorf("%s: %v, code %d; want %s, code %d", name, err, code, test.want, test.code)
		}
	}
	if code := exitCode(errors.New("x")); code != 1 {
		t.Errorf("an error ends with %d", code)
	}
}

// What map shows of the last real events is what Vero has got, to the byte but
// for the token.
func TestMapShowsWhatIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(t, shopping())
	w.settle(t, "map")
	config := writeFile(t, "verobridge.yaml", fmt.Sprintf(`
warehouse: {url: "postgres://localhost/db"}
sources:
  - {name: app, write_keys: [k1], destinations: [vero]}
  - {name: vero, type: vero, write_keys: [k2]}
destinations: [{name: vero, type: vero, auth_token: other, url: %q, allow_private: true}]
`, w.bridge.settings.Destinations[0].URL))
	out, _, err := runMap(t, "-c", config, "--admin", "http://"+w.bridge.adminAddr, "--last", "1000", "--json")
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]int)
	for line := range strings.Lines(out) {
		var m preview.Result
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		for _, r := range m.Requests {
			shown[r.Method+" "+string(r.Body)]++
		}
	}
	sent := make(map[string]int)
	for _, c := range w.vero.Calls() {
		body := strings.Replace(string(c.Body), `"auth_token":"`+veroToken+`",`, "", 1)
		sent[c.Method+" "+body]++
	}
	if len(sent) == 0 {
		t.Fatal("nothing was sent")
	}
	if diff := cmp.Diff(sent, shown); diff != "" {
		t.Errorf("(-sent +shown):\n%s", diff)
	}
}
