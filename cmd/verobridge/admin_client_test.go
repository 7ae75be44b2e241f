package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// adminOf is a client of a test's bridge.
func adminOf(b *bridge) *adminClient {
	return &adminClient{url: "http://" + b.adminAddr, password: b.settings.Admin.Password}
}

func TestLatestEvents(t *testing.T) {
	t.Parallel()
	s := testSettings(t, "http://127.0.0.1:1")
	s.Admin.Password = "open sesame"
	b := startTestBridge(t, s, slog.New(slog.DiscardHandler))
	w := &world{bridge: b, url: "http://" + b.publicAddr}
	for n := range 4 {
		w.post(t, "/v1/track", appKey, fmt.Appendf(nil,
			`{"messageId":"m%d","userId":"u%d","event":"<Tested>","properties":{"n":9007199254740993}}`, n, n%2))
	}
	for query, want := range map[string][]string{
		"last=2":                    {"m2", "m3"},
		"":                          {"m0", "m1", "m2", "m3"},
		"last=2&user=u0":            {"m0", "m2"},
		"event=%3CTested%3E&last=1": {"m3"},
		"source=vero":               nil,
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := adminOf(b).lines(t.Context(), http.MethodGet, "/api/events", values, func(line json.RawMessage) error {
			var l eventLine
			if err := json.Unmarshal(line, &l); err != nil {
				return err
			}
			e := l.event()
			if e.Source != "app" || e.Name() != "<Tested>" || e.Get("properties.n").Raw != "9007199254740993" || e.ReceivedAt.IsZero() {
				t.Errorf("event %s came as %s", e.ID, line)
			}
			got = append(got, e.ID)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

// Every answer but the one asked for is an error that says what to do.
func TestAdminClientSaysWhatToDo(t *testing.T) {
	t.Parallel()
	s := testSettings(t, "http://127.0.0.1:1")
	s.Admin.Password = "open sesame"
	b := startTestBridge(t, s, slog.New(slog.DiscardHandler))
	right := adminOf(b)
	for name, test := range map[string]struct {
		client *adminClient
		path   string
		query  url.Values
		want   string
	}{
		"no bridge":      {&adminClient{url: "http://127.0.0.1:1"}, "/api/events", nil, "is it running?"},
		"no password":    {&adminClient{url: right.url}, "/api/events", nil, "admin.password"},
		"a wrong number": {right, "/api/events", url.Values{"last": {"all"}}, "last must be a whole number above 0"},
		"another path":   {right, "/api/unknown", nil, "of this version?"},
		"another door":   {&adminClient{url: "http://" + b.publicAddr}, "/api/events", nil, "calls go to /v1/batch"},
	} {
		err := test.client.lines(t.Context(), http.MethodGet, test.path, test.query, func(json.RawMessage) error { return nil })
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error that says %q", name, err, test.want)
		}
	}
}

func TestAdminFlags(t *testing.T) {
	t.Parallel()
	environment := func(name string) (string, bool) {
		if slices.Contains([]string{"DATABASE_URL", "APP_WRITE_KEY", "VERO_WRITE_KEY", "VERO_AUTH_TOKEN"}, name) {
			return everySet(name)
		}
		return "", false
	}
	for name, test := range map[string]struct {
		flags adminFlags
		want  adminClient
	}{
		"environment": {adminFlags{}, adminClient{url: "http://127.0.0.1:8081"}},
		"address":     {adminFlags{url: "https://:secret@bridge.internal:9000/"}, adminClient{"https://bridge.internal:9000", "secret"}},
	} {
		got, err := test.flags.client(environment)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if *got != test.want {
			t.Errorf("%s: %+v, want %+v", name, *got, test.want)
		}
	}
	if _, err := (&adminFlags{url: "bridge:9000"}).client(environment); err == nil {
		t.Error("an address without a scheme is taken")
	}
}
