package ingest_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/ingest"
)

// settingsOf is what SDKs read in the settings document to find a host.
type settingsOf struct {
	Integrations map[string]struct{ APIKey, APIHost, Protocol string }
	Metrics      struct {
		SampleRate *float64
		Host       string
	}
}

func TestSettingsKeepSDKsHere(t *testing.T) {
	t.Parallel()
	type request struct {
		public, origin string
		tls            bool
		forwarded      string
	}
	for name, tt := range map[string]struct {
		request
		protocol, host string
	}{
		"plain":                     {request{}, "http", "events.example.com/v1"},
		"TLS":                       {request{tls: true}, "https", "events.example.com/v1"},
		"TLS ended by a proxy":      {request{origin: "https://www.example.com"}, "https", "events.example.com/v1"},
		"forwarding is not trusted": {request{forwarded: "evil.example"}, "http", "events.example.com/v1"},
		"public URL":                {request{public: "https://in.example.com"}, "https", "in.example.com/v1"},
		"public URL with a path":    {request{public: "https://example.com/events/"}, "https", "example.com/events/v1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler, err := ingest.NewHandler(ingest.Options{Sources: testSources, Spool: &memory{}, PublicURL: tt.public})
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{"/v1/projects/wk_test/settings", "/projects/wk_test/settings"} {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
				r.Host = "events.example.com"
				if tt.origin != "" {
					r.Header.Set("Origin", tt.origin)
				}
				if tt.tls {
					r.TLS = &tls.ConnectionState{}
				}
				if tt.forwarded != "" {
					r.Header.Set("X-Forwarded-Host", tt.forwarded)
					r.Header.Set("X-Forwarded-Proto", "https")
				}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				var got settingsOf
				if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
					t.Fatalf("answer is %d %s: %v", w.Code, w.Body, err)
				}
				own := got.Integrations["Segment.io"]
				if len(got.Integrations) != 1 || own.APIKey != "wk_test" || own.APIHost != tt.host || own.Protocol != tt.protocol {
					t.Errorf("integrations are %+v, want host %s over %s", got.Integrations, tt.host, tt.protocol)
				}
				if got.Metrics.SampleRate == nil || *got.Metrics.SampleRate != 0 || got.Metrics.Host != tt.host {
					t.Errorf("metrics are %+v, want none sampled", got.Metrics)
				}
				if strings.Contains(w.Body.String(), "segment.io/") || strings.Contains(w.Body.String(), "segment.com") {
					t.Errorf("the document names a host of Segment: %s", w.Body)
				}
			}
		})
	}
}

// A developer with a wrong key notices, because load() fails.
func TestSettingsOfUnknownKey(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	d.do(t, http.MethodGet, "/v1/projects/wk_nobody/settings", "").fails(t, http.StatusNotFound, "not_found")
}

func TestBundle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"standalone.js":               `window.analyticsWriteKey = "__WRITE_KEY__";`,
		"ajs-destination.0123.js":     `chunk`,
		"ajs-destination.0123.js.map": `map`,
		"secret.txt":                  `secret`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := open(t, ingest.Options{AnalyticsDir: dir})
	for path, want := range map[string]string{
		"/analytics.js/v1/wk_test/analytics.min.js":           `window.analyticsWriteKey = "wk_test";`,
		"/analytics.js/v1/wk_test/ajs-destination.0123.js":    `chunk`,
		"/analytics-next/bundles/ajs-destination.0123.js":     `chunk`,
		"/analytics-next/bundles/ajs-destination.0123.js.map": `map`,
	} {
		res := d.do(t, http.MethodGet, path, "", "Origin", "https://www.example.com")
		if res.StatusCode != http.StatusOK || res.body != want || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/javascript") {
			t.Errorf("%s: answer is %d %s %q, want %q", path, res.StatusCode, res.Header.Get("Content-Type"), res.body, want)
		}
	}
	for _, path := range []string{
		"/analytics.js/v1/wk_nobody/analytics.min.js",
		"/analytics-next/bundles/missing.js",
		"/analytics-next/bundles/secret.txt",
		"/analytics-next/bundles/..%2fsecret.js",
		"/analytics-next/bundles/.hidden.js",
		"/analytics-next/bundles/",
	} {
		d.do(t, http.MethodGet, path, "").fails(t, http.StatusNotFound, "not_found")
	}
}
