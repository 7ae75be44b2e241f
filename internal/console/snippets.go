package console

import (
	"net/url"
	"strings"
)

// snippet is what an app writes to send here with a Segment SDK.
type snippet struct {
	Name string
	// Code is shown with the key masked, and copied whole.
	Code secret
	// Note is what is to be known beside the code, empty for nothing.
	Note string
}

// snippetForms are the snippets with {url}, {host} (without a scheme), {key} and
// the like where those go. The options are those of the SDKs' own documentation and
// sources.
var snippetForms = []struct {
	name, code, note string
	// server says that it is for a key that nobody else may read.
	server bool
}{
	{name: "curl", code: `curl -u {key}: {url}/v1/track \
  -H 'Content-Type: application/json' \
  -d '{"userId":"42","event":"Signed Up","context":{"traits":{"email":"jane@example.com"}}}'`, server: true},
	{name: "Browser", code: `import { AnalyticsBrowser } from "@segment/analytics-next"

const analytics = AnalyticsBrowser.load({ writeKey: "{key}", cdnURL: "{url}" })
analytics.identify("42", { plan: "pro" })
analytics.track("Signed Up")`, note: "With Segment's snippet in a page, replace cdn.segment.com in it by {host}; analytics_dir has to be set then."},
	{name: "Node.js", code: `import { Analytics } from "@segment/analytics-node"

const analytics = new Analytics({ writeKey: "{key}", host: "{url}" })
analytics.identify({ userId: "42", traits: { email: "jane@example.com" } })
analytics.track({ userId: "42", event: "Signed Up" })`, server: true},
	{name: "Go", code: `client, err := analytics.NewWithConfig("{key}", analytics.Config{Endpoint: "{url}"})
if err != nil {
	return err
}
defer client.Close()
err = client.Enqueue(analytics.Track{UserId: "42", Event: "Signed Up"})`, server: true},
	{name: "Python", code: `import segment.analytics as analytics

analytics.write_key = "{key}"
analytics.host = "{url}"
analytics.identify("42", {"email": "jane@example.com"})
analytics.track("42", "Signed Up")`, server: true},
	{name: "Ruby", code: `analytics = Segment::Analytics.new(write_key: "{key}", host: "{hostname}", port: {port}, ssl: {tls})
analytics.identify(user_id: "42", traits: { email: "jane@example.com" })
analytics.track(user_id: "42", event: "Signed Up")`, server: true},
	{name: "PHP", code: `use Segment\Segment;

Segment::init("{key}", ["host" => "{host}"]);
Segment::identify(["userId" => "42", "traits" => ["email" => "jane@example.com"]]);
Segment::track(["userId" => "42", "event" => "Signed Up"]);`, note: "It always speaks TLS.", server: true},
	{name: "Java", code: `Analytics analytics = Analytics.builder("{key}").endpoint("{url}").build();
analytics.enqueue(TrackMessage.builder("Signed Up").userId("42"));`, server: true},
	{name: "Swift", code: `let analytics = Analytics(configuration: Configuration(writeKey: "{key}")
    .apiHost("{host}/v1")
    .cdnHost("{host}/v1"))
analytics.track(name: "Signed Up")`, note: "It always speaks TLS."},
	{name: "Kotlin", code: `val analytics = Analytics("{key}", applicationContext) {
    apiHost = "{host}/v1"
    cdnHost = "{host}/v1"
}
analytics.track("Signed Up")`, note: "It always speaks TLS."},
}

// snippetsOf writes the snippets of a source's first key. One that everybody can
// read gets no snippets for servers.
func snippetsOf(base string, source SetupSource) []snippet {
	u, err := url.Parse(base)
	if err != nil || len(source.WriteKeys) == 0 {
		return nil
	}
	port, tls := u.Port(), "false"
	if u.Scheme == "https" {
		tls = "true"
	}
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	fill := func(text, key string) string {
		return strings.NewReplacer("{hostname}", u.Hostname(), "{host}", u.Host, "{url}", base, "{key}", key, "{port}", port, "{tls}", tls).Replace(text)
	}
	key := source.WriteKeys[0]
	var snippets []snippet
	for _, form := range snippetForms {
		if form.server && source.Browser {
			continue
		}
		snippets = append(snippets, snippet{form.name, secret{fill(form.code, masked(key)), fill(form.code, key)}, fill(form.note, masked(key))})
	}
	return snippets
}
