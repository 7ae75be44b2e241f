package ingest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/ingest"
)

// Every path of the API, as SDKs and their users write it.
func TestPaths(t *testing.T) {
	t.Parallel()
	single := map[string]string{
		"track": "track server", "identify": "identify server", "page": "page server",
		"screen": "screen server", "group": "group server", "alias": "alias server",
		"t": "track client", "i": "identify client", "p": "page client",
		"s": "screen client", "g": "group client", "a": "alias client",
	}
	batch := map[string]string{
		"batch": "track server", "import": "track server", "b": "track client", "batch/b": "track client", "b/b": "track client",
	}
	// The type in the body loses against the one of the path.
	const call = `{"type":"track","messageId":"m","userId":"u","event":"x","groupId":"g","previousId":"p"}`
	d := open(t, ingest.Options{})
	check := func(path, body, want string) {
		t.Helper()
		for _, form := range []string{"/v1/" + path, "/" + path, "//v1/" + path, "/v1/" + path + "/", "/v1//" + path + "//", "/v1/" + path + "?x=1"} {
			d.post(t, form, body).succeeds(t)
			events := d.spool.take()
			if len(events) != 1 {
				t.Fatalf("%s: %d events, want 1", form, len(events))
			}
			if got := string(events[0].Type) + " " + events[0].Get("channel").String(); got != want {
				t.Errorf("%s: event is %q, want %q", form, got, want)
			}
		}
	}
	for path, want := range single {
		check(path, call, want)
	}
	for path, want := range batch {
		check(path, `{"batch":[`+call+`]}`, want)
	}
}

func TestTelemetryIsDropped(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	d.do(t, http.MethodPost, "/v1/m", `{"series":[]}`, "Content-Type", "text/plain").succeeds(t)
	if events := d.spool.take(); len(events) != 0 {
		t.Errorf("telemetry became %d events", len(events))
	}
}

// A GET that answers 200 would let a client believe that its batch arrived.
func TestMethods(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		res := d.do(t, method, "/v1/batch", ``, "Authorization", "Basic d2tfdGVzdDo=")
		res.fails(t, http.StatusMethodNotAllowed, "method_not_allowed")
		if got, want := res.Header.Get("Allow"), "POST, OPTIONS"; got != want {
			t.Errorf("%s: Allow is %q, want %q", method, got, want)
		}
	}
	if res := d.do(t, http.MethodHead, "/v1/import/", ``); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD answers %d, want 405", res.StatusCode)
	}
	res := d.do(t, http.MethodPost, "/v1/projects/wk_test/settings", ``)
	res.fails(t, http.StatusMethodNotAllowed, "method_not_allowed")
	if got, want := res.Header.Get("Allow"), "GET, HEAD, OPTIONS"; got != want {
		t.Errorf("Allow is %q, want %q", got, want)
	}
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	for _, path := range []string{"/", "/v1", "/v1/", "/v1/merge", "/v2/batch", "/v1/../v1/batch", "/webhooks/vero", "/analytics.js/v1/wk_test/analytics.min.js"} {
		d.post(t, path, `{"batch":[]}`).fails(t, http.StatusNotFound, "not_found")
	}
}

// No spelling of any path is answered with a redirect.
func TestNoRedirects(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	for _, path := range []string{"//v1/batch", "/v1/import/", "/./v1/batch", "/v1//", "//", "/v1/%2e%2e/batch", "/v1/batch/../b", "/V1/batch", "/v1%2Fbatch"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
			res := d.do(t, method, path, `{"batch":[]}`, "Authorization", "Basic d2tfdGVzdDo=")
			if res.StatusCode >= 300 && res.StatusCode < 400 || res.Header.Get("Location") != "" {
				t.Errorf("%s %s answers %d to %q", method, path, res.StatusCode, res.Header.Get("Location"))
			}
		}
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	const origin = "http://127.0.0.1:9920"
	// Any path, without a key.
	for _, path := range []string{"/v1/t", "/v1/b?writeKey=nobody", "/v1/projects/nobody/settings", "/nowhere"} {
		res := d.do(t, http.MethodOptions, path, ``, "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,x-funky")
		if res.StatusCode != http.StatusNoContent {
			t.Errorf("%s: preflight answers %d, want 204", path, res.StatusCode)
		}
		for header, want := range map[string]string{
			"Access-Control-Allow-Origin":      origin,
			"Access-Control-Allow-Credentials": "true",
			"Access-Control-Allow-Methods":     "GET, POST, OPTIONS",
			"Access-Control-Allow-Headers":     "Authorization, Content-Type, X-Retry-Count, authorization,x-funky",
			"Access-Control-Max-Age":           "7200",
		} {
			if got := res.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", path, header, got, want)
			}
		}
	}
	// Success and failure are both readable, or the SDK cannot know which.
	d.spool.err = errDiskFull
	for _, res := range []answer{
		d.post(t, "/v1/t", `{"event":"x","userId":"u"}`, "Origin", origin),
		d.do(t, http.MethodPost, "/v1/t", `{}`, "Origin", origin),
		d.do(t, http.MethodPost, "/nowhere", `{}`, "Origin", origin),
	} {
		for header, want := range map[string]string{
			"Access-Control-Allow-Origin":      origin,
			"Access-Control-Allow-Credentials": "true",
			"Access-Control-Expose-Headers":    "Retry-After, X-RateLimit-Reset",
			"Vary":                             "Origin",
		} {
			if got := res.Header.Get(header); got != want {
				t.Errorf("%d: %s is %q, want %q", res.StatusCode, header, got, want)
			}
		}
	}
	res := d.post(t, "/v1/t", `{}`)
	for header := range res.Header {
		if strings.HasPrefix(header, "Access-Control-") {
			t.Errorf("without an origin the answer has %s", header)
		}
	}
}
