package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/outbound"
)

func environmentOf(values map[string]string) environment {
	return func(name string) (string, bool) {
		value, set := values[name]
		return value, set
	}
}

func TestSettingsFile(t *testing.T) {
	t.Parallel()
	text := `
warehouse: {url: "${DATABASE_URL}"}
sources:
  - {name: app, write_keys: ["${APP_WRITE_KEY}"], destinations: [vero]}
destinations:
  - {name: vero, type: vero, auth_token: "${TOKEN}"}
`
	got, err := parseSettings("verobridge.yaml", []byte(text), environmentOf(map[string]string{
		"DATABASE_URL":  "postgres://u:p@h/d",
		"APP_WRITE_KEY": `a "key": {with} #signs`,
		"TOKEN":         "t",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := defaultSettings()
	want.Warehouse.URL = "postgres://u:p@h/d"
	want.Sources = []sourceSettings{{Name: "app", WriteKeys: []string{`a "key": {with} #signs`}, Destinations: []string{"vero"}}}
	want.Destinations = []destinationSettings{{Name: "vero", Type: "vero", AuthToken: "t"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every setting of the public door, and what it means to the parts.
func TestSettingsOfSources(t *testing.T) {
	t.Parallel()
	s, err := parseSettings("f.yaml", []byte(`
public_url: https://events.example.com
analytics_dir: /srv/analytics
tls: {cert: c.pem, key: k.pem}
limits: {body_bytes: 8000000, buffered_bytes: 64000000, connections: 500}
warehouse: {url: "postgres://localhost/db"}
sources:
  - name: web
    trust: browser
    write_keys: [k1, k1_new]
    origins: ["https://www.example.com", "http://localhost:3000"]
    events: [Signed Up, Viewed page]
    triggers_per_hour: 5
    rate_limit: 12.5
    destinations: [vero]
  - {name: old, write_keys: [k2], trust: server, disabled: true}
destinations:
  - {name: vero, type: vero, auth_token: t}
`), environmentOf(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []sourceSettings{
		{
			Name: "web", Trust: "browser", WriteKeys: []string{"k1", "k1_new"}, RateLimit: 12.5, Destinations: []string{"vero"},
			Origins: []string{"https://www.example.com", "http://localhost:3000"}, Events: []string{"Signed Up", "Viewed page"}, TriggersPerHour: 5,
		},
		{Name: "old", WriteKeys: []string{"k2"}, Trust: "server", Disabled: true},
	}
	if diff := cmp.Diff(want, s.Sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if s.TLS != (tlsSettings{"c.pem", "k.pem"}) || s.Limits != (limitSettings{8_000_000, 64_000_000, 500}) || s.PublicURL == "" || s.AnalyticsDir == "" {
		t.Errorf("settings are %+v", s)
	}
	browsers := (&bridge{settings: s}).browsers()
	if diff := cmp.Diff(map[string]outbound.Browser{"web": {Events: []string{"Signed Up", "Viewed page"}, TriggersPerHour: 5}}, browsers); diff != "" {
		t.Errorf("browsers (-want +got):\n%s", diff)
	}
}

// How a destination is called.
func TestSettingsOfDestinations(t *testing.T) {
	t.Parallel()
	s, err := parseSettings("f.yaml", []byte(`
warehouse: {url: "postgres://localhost/db"}
sources:
  - {name: app, write_keys: [k1], destinations: [vero]}
destinations:
  - {name: vero, type: vero, auth_token: t, url: "http://10.0.0.7/api/v2", allow_private: true, concurrency: 16, timeout: 7s, rate: 100, ambiguous: retry}
`), environmentOf(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := destinationSettings{
		Name: "vero", Type: typeVero, AuthToken: "t", URL: "http://10.0.0.7/api/v2",
		AllowPrivate: true, Concurrency: new(16), Timeout: new(7 * time.Second), Rate: 100, Ambiguous: ambiguousRetry,
	}
	if diff := cmp.Diff(want, s.Destinations[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is sent to a destination, option by option and event by event.
func TestSettingsOfMapping(t *testing.T) {
	t.Parallel()
	s, err := parseSettings("f.yaml", []byte(`
warehouse: {url: "postgres://localhost/db"}
sources: [{name: app, write_keys: [k1], destinations: [vero]}]
destinations:
  - name: vero
    type: vero
    auth_token: t
    preset: segment
    mapping: {id: [user_id, email], dedup: message_id, ordered_products: true, delete_event: User Deleted}
    consent: {required: [marketing], unknown: deny}
    events:
      Order Completed:
        name: Bought
        if:
          properties.total: {greater: 20, less: 1e3}
          traits.plan: {in: [pro, 7], not: "${PLAN}"}
          context.locale: {exists: true, equals: de}
        properties: {only: [total], rename: {total: amount}, add: {shop: ulm, n: 1.5, yes: true}}
      page: {drop: true, properties: {drop: [title]}}
`), environmentOf(map[string]string{"PLAN": "internal"}))
	if err != nil {
		t.Fatal(err)
	}
	greater, less := 20.0, 1000.0
	exists := true
	want := destinationSettings{
		Name: "vero", Type: "vero", AuthToken: "t", Preset: "segment",
		Mapping: outbound.Mapping{ID: []string{"user_id", "email"}, Dedup: "message_id", OrderedProducts: true, DeleteEvent: "User Deleted"},
		Consent: outbound.Consent{Required: []string{"marketing"}, Unknown: "deny"},
		Events: map[string]outbound.EventRule{
			"Order Completed": {
				Name: "Bought",
				If: map[string]outbound.Condition{
					"properties.total": {Greater: &greater, Less: &less},
					"traits.plan":      {In: []any{"pro", 7}, Not: "internal"},
					"context.locale":   {Exists: &exists, Equals: "de"},
				},
				Properties: outbound.PropertyRules{
					Only: []string{"total"}, Rename: map[string]string{"total": "amount"},
					Add: map[string]any{"shop": "ulm", "n": 1.5, "yes": true},
				},
			},
			"page": {Drop: true, Properties: outbound.PropertyRules{Drop: []string{"title"}}},
		},
	}
	if diff := cmp.Diff([]destinationSettings{want}, s.Destinations); diff != "" {
		t.Errorf("destinations (-want +got):\n%s", diff)
	}
}

// Each mistake is answered with the key, its line and what to do.
func TestSettingsErrorsNameKeyLineAndCure(t *testing.T) {
	t.Parallel()
	const good = `
warehouse: {url: "postgres://localhost/db"}
sources:
  - {name: app, write_keys: [k1], destinations: [vero]}
  - {name: vero, type: vero, write_keys: [k2]}
destinations:
  - {name: vero, type: vero, auth_token: t}
`
	for _, test := range []struct{ name, from, to, want string }{
		{"unknown key", "warehouse:", "listne: x\nwarehouse:", `f.yaml:2: listne is not a setting; the settings here are admin, analytics_dir, data_dir, destinations, limits, listen, nats, notify, public_url, sources, tls, warehouse`},
		{"unknown inner key", "type: vero, auth_token: t", "type: vero, auth_tokn: t", `f.yaml:7: destinations[0].auth_tokn is not a setting; the settings here are allow_private, `},
		{"missing secret", "auth_token: t", `auth_token: "${VERO_AUTH_TOKEN}"`, `f.yaml:7: destinations[0].auth_token uses ${VERO_AUTH_TOKEN}, which is not set; set the environment variable VERO_AUTH_TOKEN`},
		{"no token", ", auth_token: t", "", `f.yaml:7: destinations[0].auth_token is missing; set it to the Tracking API key`},
		{"private url", "auth_token: t", `auth_token: t, url: "http://10.1.2.3/api/v2"`, `f.yaml:7: destinations[0].allow_private is false, and the url leads to the private address 10.1.2.3; set it to true`},
		{"incomplete url", "auth_token: t", `auth_token: t, url: api.getvero.com`, `f.yaml:7: destinations[0].url "api.getvero.com" is not complete`},
		{"concurrency", "auth_token: t", "auth_token: t, concurrency: 5000", `f.yaml:7: destinations[0].concurrency must be from 1 to 1024`},
		{"timeout", "auth_token: t", "auth_token: t, timeout: 5m", `f.yaml:7: destinations[0].timeout must be above 0 and at most 30s`},
		{"no concurrency", "auth_token: t", "auth_token: t, concurrency: 0", `f.yaml:7: destinations[0].concurrency must be from 1 to 1024`},
		{"no timeout", "auth_token: t", "auth_token: t, timeout: 0s", `f.yaml:7: destinations[0].timeout must be above 0`},
		{"rate below one", "auth_token: t", "auth_token: t, rate: 0.5", `f.yaml:7: destinations[0].rate must be at least 1`},
		{"ambiguous", "auth_token: t", "auth_token: t, ambiguous: maybe", `f.yaml:7: destinations[0].ambiguous must be stop or retry, not "maybe"`},
		{"ambiguous relay", "type: vero, auth_token: t", "type: segment, url: https://x, write_key: k, ambiguous: stop", `f.yaml:7: destinations[0].ambiguous means nothing for type segment`},
		{"concurrent relay", "type: vero, auth_token: t", "type: segment, url: https://x, write_key: k, concurrency: 2", `f.yaml:7: destinations[0].concurrency means nothing for type segment`},
		{"timeout without unit", "auth_token: t", "auth_token: t, timeout: 15", `f.yaml:7: destinations[0].timeout must be a duration, such as 15s, not "15"`},
		{"no warehouse", `warehouse: {url: "postgres://localhost/db"}`, "", `f.yaml: warehouse.url is missing; set it to the URL`},
		{"too few columns", `url: "postgres://localhost/db"`, `url: "postgres://localhost/db", max_columns: 20`, `f.yaml:2: warehouse.max_columns must be from 100 to 1599`},
		{"mode of somebody else", `url: "postgres://localhost/db"`, `url: "postgres://localhost/db", mode: jitsu`, `f.yaml:2: warehouse.mode must be segment or rudderstack, not "jitsu"`},
		{"too many connections", `url: "postgres://localhost/db"`, `url: "postgres://localhost/db", connections: 1000`, `f.yaml:2: warehouse.connections must be from 1 to 64`},
		{"open admin", "warehouse:", "admin: {listen: \":9000\"}\nwarehouse:", `f.yaml:2: admin.listen is open to others and admin.password is empty; set a password`},
		{"shared key", "k2", "k1", `f.yaml:5: sources[1].write_keys[0] is also a write key of source app`},
		{"no key", "write_keys: [k2]", "write_keys: []", `f.yaml:5: sources[1].write_keys is empty`},
		{"bad name", "name: app", "name: My-App", `f.yaml:4: sources[0].name "My-App" must start with a letter`},
		{"reserved name", "name: app", "name: verobridge", `f.yaml:4: sources[0].name "verobridge" is reserved`},
		{"unknown destination", "destinations: [vero]", "destinations: [hero]", `f.yaml:4: sources[0].destinations[0] "hero" is not among the destinations`},
		{"loop", "write_keys: [k2]", "write_keys: [k2], destinations: [vero]", `f.yaml:5: sources[1].destinations[0] would send Vero's own events back to Vero`},
		{"type", "type: vero, auth", "type: nero, auth", `f.yaml:7: destinations[0].type must be vero or segment`},
		{"not a list", "write_keys: [k1]", "write_keys: k1", `f.yaml:4: sources[0].write_keys must be a list`},
		{"not a mapping", `warehouse: {url: "postgres://localhost/db"}`, "warehouse: postgres://localhost/db", `f.yaml:2: warehouse must hold keys: connections, deliveries_retention, max_columns, mode, readers, url`},
		{"browser without origins", "write_keys: [k1]", "write_keys: [k1], trust: browser", `f.yaml:4: sources[0].origins is missing; list the origins of your pages`},
		{"origin with a path", "write_keys: [k1]", `write_keys: [k1], origins: ["https://a.example/"]`, `f.yaml:4: sources[0].origins[0] must be a scheme and a host`},
		{"events of a server", "write_keys: [k1]", "write_keys: [k1], events: [Signed Up]", `f.yaml:4: sources[0].events limits only a source with trust: browser`},
		{"triggers of a server", "write_keys: [k1]", "write_keys: [k1], triggers_per_hour: 5", `f.yaml:4: sources[0].triggers_per_hour limits only`},
		{"negative triggers", "write_keys: [k1]", `write_keys: [k1], trust: browser, origins: ["*"], triggers_per_hour: -1`, `f.yaml:4: sources[0].triggers_per_hour must be at least 1`},
		{"Vero as a browser", "write_keys: [k2]", `write_keys: [k2], trust: browser, origins: ["*"]`, `f.yaml:5: sources[1].trust must be server`},
		{"kind of trust", "write_keys: [k1]", "write_keys: [k1], trust: full", `f.yaml:4: sources[0].trust must be server or browser, not "full"`},
		{"negative rate", "write_keys: [k1]", "write_keys: [k1], rate_limit: -1", `f.yaml:4: sources[0].rate_limit must be the events per second`},
		{"rate that is no number", "write_keys: [k1]", "write_keys: [k1], rate_limit: high", `f.yaml`},
		{"key without certificate", "warehouse:", "tls: {key: k.pem}\nwarehouse:", `f.yaml:2: tls.cert is missing; set it to the file`},
		{"certificate without key", "warehouse:", "tls: {cert: c.pem}\nwarehouse:", `f.yaml:2: tls.key is missing; set it to the file`},
		{"small bodies", "warehouse:", "limits: {body_bytes: 1000}\nwarehouse:", `f.yaml:2: limits.body_bytes must be at least 512000`},
		{"less than one body", "warehouse:", "limits: {body_bytes: 4000000, buffered_bytes: 1000000}\nwarehouse:", `f.yaml:2: limits.buffered_bytes must be at least 5 times limits.body_bytes`},
		{"public URL", "warehouse:", "public_url: events.example.com\nwarehouse:", `f.yaml:2: public_url must look like https://events.example.com`},
		{"few connections", "warehouse:", "limits: {connections: 3}\nwarehouse:", `f.yaml:2: limits.connections must be at least 16, or 0 for 4096`},
		{"a size in words", "warehouse:", "limits: {body_bytes: 4 MiB}\nwarehouse:", `f.yaml:2: limits.body_bytes must be a whole number, such as 4194304, not "4 MiB"`},
		{"a rate in words", "write_keys: [k2]", "write_keys: [k2], rate_limit: fast", `f.yaml:5: sources[1].rate_limit must be a number`},
		{"no URL", "postgres://localhost/db", "hello", `f.yaml:2: warehouse.url must look like postgres://`},
		{"an unescaped password", "postgres://localhost/db", "postgres://u:p@ss/word@localhost/db", `f.yaml:2: warehouse.url must look like postgres://`},
		{"unknown preset", "auth_token: t", "auth_token: t, preset: mine", `f.yaml:7: destinations[0].preset must be default, none, rudderstack or segment, not "mine"`},
		{"unknown option", "auth_token: t", "auth_token: t, mapping: {pages: none}", `f.yaml:7: destinations[0].mapping.pages is not a setting; the settings here are context, created_at, dedup`},
		{"value of an option", "auth_token: t", "auth_token: t, mapping: {page: off}", `f.yaml:7: destinations[0].mapping.page must be default, segment, rudderstack or none, not "off"`},
		{"place of an id", "auth_token: t", "auth_token: t, mapping: {id: [userId]}", `f.yaml:7: destinations[0].mapping.id[0] must be user_id, trait_id, anonymous_id or email, not "userId"`},
		{"hold without events", "auth_token: t", "auth_token: t, hold_anonymous: {for: 30d}", `f.yaml:7: destinations[0].hold_anonymous.events is empty`},
		{"hold for too long", "auth_token: t", "auth_token: t, hold_anonymous: {events: [Ping], for: 9999d}", `f.yaml:7: destinations[0].hold_anonymous.for must be a duration from 1m to 365d, such as 30d or 12h, not "9999d"`},
		{"hold for no duration", "auth_token: t", "auth_token: t, hold_anonymous: {events: [Ping], for: a month}", `f.yaml:7: destinations[0].hold_anonymous.for must be a duration`},
		{"events as a list", "auth_token: t", "auth_token: t, events: [Ping]", `f.yaml:7: destinations[0].events must hold keys with values, as in {a: b}`},
		{"unknown key of an event", "auth_token: t", "auth_token: t, events: {Ping: {rename: x}}", `f.yaml:7: destinations[0].events.Ping.rename is not a setting; the settings here are drop, if, name, properties`},
		{"condition without a test", "auth_token: t", "auth_token: t, events: {Ping: {if: {properties.total: {}}}}", `f.yaml:7: destinations[0].events.Ping.if.properties.total has no test; write one of equals, not`},
		{"condition on a bare field", "auth_token: t", "auth_token: t, events: {Ping: {if: {total: {equals: 1}}}}", `f.yaml:7: destinations[0].events.Ping.if.total is no field; write it as properties.total`},
		{"bound in words", "auth_token: t", "auth_token: t, events: {Ping: {if: {properties.total: {greater: much}}}}", `f.yaml:7: destinations[0].events.Ping.if.properties.total.greater must be a number`},
		{"constant that is a list", "auth_token: t", "auth_token: t, events: {Ping: {properties: {add: {a: [1]}}}}", `f.yaml:7: destinations[0].events.Ping.properties.add.a must be a single value`},
		{"consent in words", "auth_token: t", "auth_token: t, consent: {required: [a], unknown: maybe}", `f.yaml:7: destinations[0].consent.unknown must be allow or deny, not "maybe"`},
		{"mapping of a relay", "type: vero, auth_token: t", `type: segment, url: "https://example.com", write_key: w, mapping: {page: none}`, `f.yaml:7: destinations[0].mapping means nothing for type segment`},
		{"not YAML", "sources:", "sources: [", `f.yaml is not valid YAML`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(good, test.from) {
				t.Fatalf("the test changes %q, which is not there", test.from)
			}
			_, err := parseSettings("f.yaml", []byte(strings.Replace(good, test.from, test.to, 1)), environmentOf(nil))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestAnEmptyFileIsAskedForWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := parseSettings("f.yaml", []byte("\n"), environmentOf(nil))
	if err == nil || !strings.Contains(err.Error(), "warehouse.url is missing") || !strings.Contains(err.Error(), "sources is empty") {
		t.Errorf("error %v", err)
	}
}

func TestSettingsFromEnvironment(t *testing.T) {
	t.Parallel()
	all := map[string]string{
		"DATABASE_URL":    "postgres://localhost/db",
		"APP_WRITE_KEY":   "k1",
		"VERO_WRITE_KEY":  "k2",
		"VERO_AUTH_TOKEN": "t",
	}
	s, err := loadSettings("", environmentOf(all))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Sources) != 2 || s.Sources[1].Type != typeVero || s.Destinations[0].AuthToken != "t" {
		t.Errorf("settings %+v", s)
	}
	all["VERO_URL"] = "http://127.0.0.1:8082/api/v2"
	if _, err := loadSettings("", environmentOf(all)); err == nil || !strings.Contains(err.Error(), "VERO_ALLOW_PRIVATE is false, and the url leads to the private address 127.0.0.1") {
		t.Errorf("with a private VERO_URL: %v", err)
	}
	all["VERO_ALLOW_PRIVATE"] = "true"
	if s, err := loadSettings("", environmentOf(all)); err != nil || s.Destinations[0].URL != all["VERO_URL"] {
		t.Errorf("with VERO_URL: %+v, %v", s.Destinations, err)
	}
	all["VERO_ALLOW_PRIVATE"] = "yes please"
	if _, err := loadSettings("", environmentOf(all)); err == nil || !strings.Contains(err.Error(), "VERO_ALLOW_PRIVATE must be true or false") {
		t.Errorf("with a VERO_ALLOW_PRIVATE that is neither: %v", err)
	}
	delete(all, "VERO_URL")
	delete(all, "VERO_ALLOW_PRIVATE")
	all["VERO_WRITE_KEY"] = all["APP_WRITE_KEY"]
	if _, err := loadSettings("", environmentOf(all)); err == nil || !strings.Contains(err.Error(), "VERO_WRITE_KEY is also a write key of source app") {
		t.Errorf("with one key for both: %v", err)
	}
	all["VERO_WRITE_KEY"] = "k2"
	for name := range all {
		without := make(map[string]string)
		for n, v := range all {
			if n != name {
				without[n] = v
			}
		}
		if _, err := loadSettings("", environmentOf(without)); err == nil || !strings.Contains(err.Error(), name+" is not set; set it to") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestRetentionSetting(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "2160h": 90 * 24 * time.Hour, "forever": 0} {
		s := defaultSettings()
		s.Warehouse.DeliveriesRetention = text
		if got, limited := s.Warehouse.retention(); got != want || limited != (text != "forever") {
			t.Errorf("%s is %s, %t", text, got, limited)
		}
	}
	for _, text := range []string{"7d", "0", "", "never", "-90d"} {
		var problems []string
		warehouseSettings{DeliveriesRetention: text}.validateRetention(func(path, format string, args ...any) {
			problems = append(problems, path)
		})
		if len(problems) != 1 {
			t.Errorf("%q has the problems %v", text, problems)
		}
	}
}
