package ingest_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/ingest"
	"github.com/verobridge/verobridge/internal/event"
)

func basic(userinfo string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))
}

func TestWriteKeys(t *testing.T) {
	t.Parallel()
	const call = `"type":"track","event":"x","userId":"u"`
	tests := map[string]struct {
		auth, path, body string
		want             string // the event's source, or the code of the failure
	}{
		"Basic with colon":             {basic("wk_test:"), "/v1/batch", `{"batch":[{` + call + `}]}`, "app"},
		"Basic without colon":          {basic("wk_test"), "/v1/batch", `{"batch":[{` + call + `}]}`, "app"},
		"Basic with a password":        {basic("wk_test:secret"), "/v1/batch", `{"batch":[{` + call + `}]}`, "app"},
		"Basic unpadded":               {strings.TrimRight(basic("wk_rotated"), "="), "/v1/batch", `{"batch":[{` + call + `}]}`, "app"},
		"basic in lower case":          {"basic d2tfdGVzdDo=", "/v1/batch", `{"batch":[{` + call + `}]}`, "app"},
		"the second of two keys":       {basic("wk_rotated:"), "/v1/batch", `{"batch":[{` + call + `}]}`, "app"},
		"body only":                    {"", "/v1/batch", `{"writeKey":"wk_test","batch":[{` + call + `}]}`, "app"},
		"body of a single call":        {"", "/v1/t", `{"writeKey":"wk_test",` + call + `}`, "app"},
		"Basic and body agree":         {basic("wk_test:"), "/v1/t", `{"writeKey":"wk_test",` + call + `}`, "app"},
		"Basic and body differ":        {basic("wk_vero:"), "/v1/t", `{"writeKey":"wk_test",` + call + `}`, "vero"},
		"a proxy's own Basic, body":    {basic("proxy:password"), "/v1/t", `{"writeKey":"wk_test",` + call + `}`, "app"},
		"Bearer and body":              {"Bearer wk_vero", "/v1/batch", `{"writeKey":"wk_test","batch":[{` + call + `}]}`, "app"},
		"Basic that is no base64":      {"Basic %%%", "/v1/t", `{"writeKey":"wk_test",` + call + `}`, "app"},
		"item only":                    {"", "/v1/b", `{"batch":[{"writeKey":"wk_test",` + call + `}]}`, "app"},
		"item of another source":       {basic("wk_test:"), "/v1/b", `{"batch":[{"writeKey":"wk_vero",` + call + `}]}`, "vero"},
		"item like its envelope":       {"", "/v1/b", `{"writeKey":"wk_test","batch":[{"writeKey":"wk_test",` + call + `}]}`, "app"},
		"one item's key for all":       {"", "/v1/b", `{"batch":[{` + call + `},{"writeKey":"wk_test",` + call + `}]}`, "app app"},
		"item unknown":                 {basic("wk_test:"), "/v1/b", `{"batch":[{"writeKey":"wk_x",` + call + `},{` + call + `}]}`, "app/unknown_write_key app"},
		"item of a disabled source":    {basic("wk_test:"), "/v1/b", `{"batch":[{"writeKey":"wk_old",` + call + `},{` + call + `}]}`, "app/unknown_write_key app"},
		"query":                        {"", "/v1/b?writeKey=wk_test", `{"batch":[{` + call + `}]}`, "app"},
		"none":                         {"", "/v1/batch", `{"batch":[{` + call + `}]}`, "missing_write_key"},
		"none, no events":              {"", "/v1/batch", `{"batch":[]}`, "missing_write_key"},
		"Bearer only":                  {"Bearer wk_test", "/v1/batch", `{"batch":[{` + call + `}]}`, "missing_write_key"},
		"unknown":                      {basic("wk_nobody:"), "/v1/batch", `{"batch":[{` + call + `}]}`, "unknown_write_key"},
		"only the start of a key":      {basic("wk_tes:"), "/v1/batch", `{"batch":[{` + call + `}]}`, "unknown_write_key"},
		"no key but the password":      {basic(":wk_test"), "/v1/batch", `{"batch":[{` + call + `}]}`, "missing_write_key"},
		"key that is an object":        {"", "/v1/t", `{"writeKey":{},` + call + `}`, "unknown_write_key"},
		"disabled source":              {basic("wk_old:"), "/v1/batch", `{"batch":[{` + call + `}]}`, "source_disabled"},
		"all items with unknown keys":  {"", "/v1/b", `{"batch":[{"writeKey":"wk_x",` + call + `}]}`, "unknown_write_key"},
		"Segment calls of Vero itself": {basic("wk_vero:"), "/v1/track", `{` + call + `}`, "vero"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, ingest.Options{})
			var headers []string
			if tt.auth != "" {
				headers = []string{"Authorization", tt.auth}
			}
			res := d.do(t, http.MethodPost, tt.path, tt.body, headers...)
			var got []string
			for _, e := range d.spool.take() {
				source := e.Source
				if e.Type == event.Rejected {
					source += "/" + e.Get("reason").String()
				}
				if strings.Contains(string(e.Body), "wk_") {
					t.Errorf("the event holds a write key: %s", e.Body)
				}
				got = append(got, source)
			}
			if len(got) > 0 {
				res.succeeds(t)
				if strings.Join(got, " ") != tt.want {
					t.Errorf("sources are %v, want %s", got, tt.want)
				}
				return
			}
			status := http.StatusUnauthorized
			if tt.want == "source_disabled" {
				status = http.StatusForbidden
			}
			res.fails(t, status, tt.want)
		})
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	const call = `{"writeKey":"wk_web","event":"x","userId":"u"}`
	d.do(t, http.MethodPost, "/v1/t", call, "Origin", "https://www.example.com").succeeds(t)
	d.do(t, http.MethodPost, "/v1/t", call).succeeds(t)
	d.do(t, http.MethodPost, "/v1/t", call, "Origin", "https://evil.example").fails(t, http.StatusForbidden, "origin_not_allowed")
	d.spool.take()

	// Nor by way of another source's batch.
	batch := `{"writeKey":"wk_test","batch":[{"writeKey":"wk_web","type":"track","event":"x","userId":"u"}]}`
	d.do(t, http.MethodPost, "/v1/b", batch, "Origin", "https://evil.example").succeeds(t)
	if e := d.spool.take()[0]; e.Source != "app" || e.Get("reason").String() != event.ReasonOrigin {
		t.Errorf("event is %s of %s, want it rejected", e.Body, e.Source)
	}
}

// Every mistake in the settings is an error that says which one and what to do.
func TestNewHandlerRefuses(t *testing.T) {
	t.Parallel()
	app := ingest.Source{Name: "app", WriteKeys: []string{"k1"}}
	for want, o := range map[string]ingest.Options{
		"needs a spool":                     {Sources: []ingest.Source{app}},
		"no sources; add one":               {Spool: &memory{}},
		"has no name; give it one":          {Spool: &memory{}, Sources: []ingest.Source{{WriteKeys: []string{"k1"}}}},
		`"app" has no write key; add one`:   {Spool: &memory{}, Sources: []ingest.Source{{Name: "app"}}},
		`"app" has an unusable write key`:   {Spool: &memory{}, Sources: []ingest.Source{{Name: "app", WriteKeys: []string{""}}}},
		`two sources are named "app"`:       {Spool: &memory{}, Sources: []ingest.Source{app, {Name: "app", WriteKeys: []string{"k2"}}}},
		`"app" and "web" share a write key`: {Spool: &memory{}, Sources: []ingest.Source{app, {Name: "web", WriteKeys: []string{"k1"}}}},
		"write it like https://":            {Spool: &memory{}, Sources: []ingest.Source{app}, PublicURL: "events.example.com"},
		"copy dist/umd of the npm package":  {Spool: &memory{}, Sources: []ingest.Source{app}, AnalyticsDir: t.TempDir()},
	} {
		if _, err := ingest.NewHandler(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "k1") {
			t.Errorf("error is %v, want one that says %q and no key", err, want)
		}
	}
}
