package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Each snippet names the host and the key as its SDK wants them, and shows no more
// of the key than its beginning.
func TestSnippets(t *testing.T) {
	t.Parallel()
	const key = "k3y-that-nobody-sees"
	all := snippetsOf("https://events.example.com", SetupSource{Name: "app", WriteKeys: []string{key, "old"}})
	for name, want := range map[string]string{
		"curl":    "curl -u " + key + ": https://events.example.com/v1/track",
		"Browser": `cdnURL: "https://events.example.com"`,
		"Node.js": `host: "https://events.example.com"`,
		"Go":      `Endpoint: "https://events.example.com"`,
		"Python":  `analytics.host = "https://events.example.com"`,
		"Ruby":    `host: "events.example.com", port: 443, ssl: true`,
		"PHP":     `"host" => "events.example.com"`,
		"Java":    `.endpoint("https://events.example.com")`,
		"Swift":   `.apiHost("events.example.com/v1")`,
		"Kotlin":  `cdnHost = "events.example.com/v1"`,
	} {
		found := false
		for _, s := range all {
			found = found || s.Name == name && strings.Contains(s.Code.Whole, want)
			if strings.Contains(s.Code.Shown, key) || !strings.Contains(s.Code.Whole, key) {
				t.Errorf("%s shows or lacks the key:\n%s", s.Name, s.Code.Shown)
			}
		}
		if !found {
			t.Errorf("no snippet for %s says %s", name, want)
		}
	}
	for _, s := range snippetsOf("http://127.0.0.1:8080", SetupSource{Name: "web", Browser: true, WriteKeys: []string{key}}) {
		if s.Name == "Go" || s.Name == "curl" {
			t.Errorf("a key that everybody can read is for %s", s.Name)
		}
	}
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		setup      Setup
		host, want string
	}{
		{Setup{PublicURL: "https://events.example.com/"}, "127.0.0.1:8081", "https://events.example.com"},
		{Setup{Port: "8080"}, "127.0.0.1:8081", "http://127.0.0.1:8080"},
		{Setup{Port: "8443", TLS: true}, "bridge.internal", "https://bridge.internal:8443"},
		{Setup{Port: "8080"}, "[::1]:8081", "http://[::1]:8080"},
		{Setup{Port: "8080"}, "[::1]", "http://[::1]:8080"},
	} {
		c := &Console{o: Options{Setup: test.setup}}
		r := httptest.NewRequest(http.MethodGet, "/setup", nil)
		r.Host = test.host
		if got, guessed := c.publicURL(r); got != test.want || guessed == (test.setup.PublicURL != "") {
			t.Errorf("%s at %s, a guess: %t; want %s", got, test.host, guessed, test.want)
		}
	}
}

func TestMasked(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{"short": "••••••••", "0123456789abcdef": "0123••••••••"} {
		if got := masked(key); got != want {
			t.Errorf("%s is shown as %s", key, got)
		}
	}
}
