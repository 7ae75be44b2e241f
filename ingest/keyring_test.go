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

// What comes with a browser's key says from which page it comes.
func TestBrowserOrigins(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{Sources: append(testSources[:len(testSources):len(testSources)],
		ingest.Source{Name: "mobile", WriteKeys: []string{"wk_mobile"}, Browser: true, Origins: []string{"*"}})})
	for name, tt := range map[string]struct {
		key, header, value string
		allowed            bool
	}{
		"origin":               {"wk_shop", "Origin", "https://shop.example.com", true},
		"origin in capitals":   {"wk_shop", "Origin", "https://Shop.Example.com", true},
		"another origin":       {"wk_shop", "Origin", "https://evil.example", false},
		"only begins alike":    {"wk_shop", "Origin", "https://shop.example.com.evil.example", false},
		"another scheme":       {"wk_shop", "Origin", "http://shop.example.com", false},
		"another port":         {"wk_shop", "Origin", "https://shop.example.com:8443", false},
		"a page without name":  {"wk_shop", "Origin", "null", false},
		"referer":              {"wk_shop", "Referer", "https://shop.example.com/p/1?x=y", true},
		"another referer":      {"wk_shop", "Referer", "https://evil.example/https://shop.example.com/", false},
		"user in the referer":  {"wk_shop", "Referer", "https://shop.example.com@evil.example/", false},
		"referer that is none": {"wk_shop", "Referer", "%%%", false},
		"neither":              {"wk_shop", "X-Other", "", false},
		"every origin":         {"wk_mobile", "Origin", "https://evil.example", true},
		"an app":               {"wk_mobile", "X-Other", "", true},
	} {
		res := d.do(t, http.MethodPost, "/v1/t", `{"writeKey":"`+tt.key+`","event":"x","userId":"u"}`, tt.header, tt.value)
		shows(t, d.do(t, http.MethodGet, "/v1/pixel/track?event=x&userId=u&writeKey="+tt.key, "", tt.header, tt.value))
		events := d.spool.take()
		if !tt.allowed {
			res.fails(t, http.StatusForbidden, "origin_not_allowed")
			if len(events) != 0 {
				t.Errorf("%s: %d events are kept", name, len(events))
			}
			continue
		}
		res.succeeds(t)
		if len(events) != 2 {
			t.Errorf("%s: %d events are kept, want the call and the pixel", name, len(events))
		}
	}
	// The origin that wins is the one that no page can choose.
	d.do(t, http.MethodPost, "/v1/t", `{"writeKey":"wk_shop","event":"x","userId":"u"}`, "Origin", "https://evil.example",
		"Referer", "https://shop.example.com/").fails(t, http.StatusForbidden, "origin_not_allowed")
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
		`"web" is a browser's and has no`:   {Spool: &memory{}, Sources: []ingest.Source{{Name: "web", WriteKeys: []string{"k1"}, Browser: true}}},
		`"app" has a negative rate limit`:   {Spool: &memory{}, Sources: []ingest.Source{{Name: "app", WriteKeys: []string{"k1"}, RateLimit: -1}}},
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
