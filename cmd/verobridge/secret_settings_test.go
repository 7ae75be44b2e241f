package main

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/canary"
)

// secretSettings are the settings with something secret in them, and what it is.
var secretSettings = map[string]func(text string) []string{
	"admin.password":            whole,
	"nats.url":                  passwords,
	"warehouse.url":             passwords,
	"notify.url":                afterHost,
	"sources[].write_keys[]":    whole,
	"destinations[].auth_token": whole,
	"destinations[].url":        passwords,
	"destinations[].write_key":  whole,
}

// openSettings are those that are text with nothing secret in it, here or below.
var openSettings = []string{
	"listen", "public_url", "tls.cert", "tls.key", "analytics_dir", "admin.listen", "data_dir",
	"warehouse.readers[]", "warehouse.mode", "warehouse.deliveries_retention",
	"sources[].name", "sources[].type", "sources[].destinations[]", "sources[].trust", "sources[].origins[]", "sources[].events[]",
	"destinations[].name", "destinations[].type", "destinations[].preset", "destinations[].mapping", "destinations[].events",
	"destinations[].consent", "destinations[].ambiguous", "destinations[].hold_anonymous",
}

func whole(text string) []string { return []string{text} }

// passwords returns those in a URL, or in a list of them; of NATS the token too,
// which is a user without a password.
func passwords(urls string) (found []string) {
	for text := range strings.SplitSeq(urls, ",") {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		password, has := u.User.Password()
		if !has && (u.Scheme == "nats" || u.Scheme == "tls") {
			password = u.User.Username()
		}
		found = append(found, password, u.Query().Get("password"))
	}
	return found
}

// afterHost returns what of a webhook's URL nobody knows who knows the service.
func afterHost(text string) []string {
	u, err := url.Parse(text)
	if err != nil || text == "" {
		return nil
	}
	return []string{u.RequestURI()}
}

// eachText calls each with the path of every setting below v that is text, and its
// value. Of a list or a map that is empty it is an empty element.
func eachText(v reflect.Value, path string, each func(path, text string)) {
	switch v.Kind() {
	case reflect.String:
		each(path, v.String())
	case reflect.Struct:
		for i := range v.NumField() {
			eachText(v.Field(i), strings.TrimPrefix(path+"."+v.Type().Field(i).Tag.Get("yaml"), "."), each)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachText(v.Index(i), path+"[]", each)
		}
		if v.Len() == 0 {
			eachText(reflect.Zero(v.Type().Elem()), path+"[]", each)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			eachText(v.MapIndex(key), path+".*", each)
		}
		if v.Len() == 0 {
			eachText(reflect.Zero(v.Type().Elem()), path+".*", each)
		}
	}
}

// secretsIn returns what is secret in settings.
func secretsIn(t testing.TB, s settings) canary.Secrets {
	t.Helper()
	s.Sources = slices.Clone(s.Sources)
	for i := range s.Sources {
		if s.Sources[i].Trust == trustBrowser { // its keys are in pages for everybody
			s.Sources[i].WriteKeys = nil
		}
		// The key of the captures is in testdata, and too short to be looked for.
		s.Sources[i].WriteKeys = slices.DeleteFunc(slices.Clone(s.Sources[i].WriteKeys), func(key string) bool { return key == capturedKey })
	}
	var values []string
	eachText(reflect.ValueOf(s), "", func(path, text string) {
		if in, ok := secretSettings[path]; ok {
			values = append(values, in(text)...)
		}
	})
	secrets, err := canary.Of(values...)
	if err != nil {
		t.Fatal(err)
	}
	return secrets
}

// It is said of each setting that is text whether something in it is secret.
func TestEachSettingIsSecretOrOpen(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	eachText(reflect.ValueOf(settings{}), "", func(path, _ string) {
		_, secret := secretSettings[path]
		i := slices.IndexFunc(openSettings, func(open string) bool {
			return path == open || strings.HasPrefix(path, open+".") || strings.HasPrefix(path, open+"[")
		})
		if secret == (i >= 0) {
			t.Errorf("%s must be in one of secretSettings and openSettings", path)
		}
		seen[path] = true
		if i >= 0 {
			seen[openSettings[i]] = true
		}
	})
	for path := range secretSettings {
		if !seen[path] {
			t.Errorf("secretSettings has %s, which is no setting", path)
		}
	}
	for _, path := range openSettings {
		if !seen[path] {
			t.Errorf("openSettings has %s, which is no setting", path)
		}
	}
}

// Every secret that settings can have is watched.
func TestSecretsInSettings(t *testing.T) {
	t.Parallel()
	s := settings{
		Admin:     adminSettings{Password: "secret-of-admin"},
		NATS:      natsSettings{URL: "nats://u:secret-of-nats@a:4222,nats://secret-token@b:4222"},
		Warehouse: warehouseSettings{URL: "postgres://u:secret%2Fof-db@h/d?sslmode=disable"},
		Notify:    notifySettings{URL: "https://hooks.example.com/secret-of-hook"},
		Sources: []sourceSettings{
			{WriteKeys: []string{"secret-key-1", "secret-key-2"}},
			{WriteKeys: []string{"public-key"}, Trust: trustBrowser},
		},
		Destinations: []destinationSettings{{AuthToken: "secret-of-vero", URL: "https://h"}, {WriteKey: "secret-of-relay"}},
	}
	secrets := secretsIn(t, s)
	for _, secret := range []string{
		"secret-of-admin", "secret-of-nats", "secret-token", "secret/of-db", "/secret-of-hook",
		"secret-key-1", "secret-key-2", "secret-of-vero", "secret-of-relay",
	} {
		if secrets.In("… "+secret+" …") == "" {
			t.Errorf("%q is not watched", secret)
		}
	}
	if problem := secrets.In("public-key 4222 https://hooks.example.com postgres://u sslmode"); problem != "" {
		t.Errorf("what is open is watched: %s", problem)
	}
	if s.Sources[1].WriteKeys == nil {
		t.Error("the settings have changed")
	}
}
