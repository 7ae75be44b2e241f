package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
)

// settings are what verobridge.yaml says. Their names are a contract with
// whoever runs the bridge.
type settings struct {
	Listen       string                `yaml:"listen"`
	Admin        adminSettings         `yaml:"admin"`
	DataDir      string                `yaml:"data_dir"`
	NATS         natsSettings          `yaml:"nats"`
	Warehouse    warehouseSettings     `yaml:"warehouse"`
	Sources      []sourceSettings      `yaml:"sources"`
	Destinations []destinationSettings `yaml:"destinations"`
}

type adminSettings struct {
	Listen   string `yaml:"listen"`
	Password string `yaml:"password"`
}

type natsSettings struct {
	URL      string `yaml:"url"`
	Replicas int    `yaml:"replicas"`
}

type warehouseSettings struct {
	URL     string   `yaml:"url"`
	Readers []string `yaml:"readers"`
}

type sourceSettings struct {
	Name         string   `yaml:"name"`
	Type         string   `yaml:"type"`
	WriteKeys    []string `yaml:"write_keys"`
	Trust        string   `yaml:"trust"`
	Origins      []string `yaml:"origins"`
	Destinations []string `yaml:"destinations"`
}

type destinationSettings struct {
	Name      string `yaml:"name"`
	Type      string `yaml:"type"`
	AuthToken string `yaml:"auth_token"`
	URL       string `yaml:"url"`
	WriteKey  string `yaml:"write_key"`
	Preset    string `yaml:"preset"`
}

// The types of sources and destinations.
const (
	typeApp     = "app"
	typeVero    = "vero"
	typeSegment = "segment"
)

func defaultSettings() settings {
	return settings{
		Listen:  ":8080",
		Admin:   adminSettings{Listen: "127.0.0.1:8081"},
		DataDir: "./verobridge-data",
		NATS:    natsSettings{Replicas: 3},
	}
}

// environment is how settings read environment variables, as os.LookupEnv.
type environment func(name string) (value string, set bool)

// loadSettings reads the file at path, or, where path is empty, makes the
// settings that four environment variables are enough for. Its error names
// every problem with its place and its cure.
func loadSettings(path string, env environment) (settings, error) {
	if path == "" {
		return settingsFromEnvironment(env)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return settings{}, fmt.Errorf("there is no settings file %s; name one with --config, or leave --config out and set DATABASE_URL, APP_WRITE_KEY, VERO_WRITE_KEY and VERO_AUTH_TOKEN", path)
	}
	if err != nil {
		return settings{}, fmt.Errorf("read settings: %w", err)
	}
	return parseSettings(path, text, env)
}

// settingsFromEnvironment makes the two sources that most installations have:
// the app, whose events go to Vero, and Vero, whose email events come back.
func settingsFromEnvironment(env environment) (settings, error) {
	var problems []error
	need := func(name, what string) string {
		value, _ := env(name)
		if value == "" {
			problems = append(problems, fmt.Errorf("%s is not set; set it to %s, or write a settings file and name it with --config", name, what))
		}
		return value
	}
	s := defaultSettings()
	s.Warehouse.URL = need("DATABASE_URL", "the URL of the Postgres warehouse (postgres://user:password@host/database)")
	s.Sources = []sourceSettings{
		{Name: "app", WriteKeys: []string{need("APP_WRITE_KEY", "a secret of your choice that your apps send with")}, Destinations: []string{"vero"}},
		{Name: "vero", Type: typeVero, WriteKeys: []string{need("VERO_WRITE_KEY", "a secret of your choice that Vero sends with")}},
	}
	s.Destinations = []destinationSettings{
		{Name: "vero", Type: typeVero, AuthToken: need("VERO_AUTH_TOKEN", "the Tracking API key of your Vero project")},
	}
	if len(problems) > 0 {
		return settings{}, errors.Join(problems...)
	}
	return s, s.validate(func(path string) string { return path })
}

// nameForm is what names of sources and destinations look like. A source's
// name is a Postgres schema and both are parts of NATS subjects.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// reservedNames are schemas, or destinations, that verobridge or Postgres owns.
var reservedNames = []string{"verobridge", "public", "warehouse", "email_analytics", "information_schema", "pg_catalog"}

// validate finds what cannot work. place turns the path of a setting into its
// place in the file.
func (s settings) validate(place func(path string) string) error {
	var problems []error
	problem := func(path, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s %s", place(path), fmt.Sprintf(format, args...)))
	}

	if s.Warehouse.URL == "" {
		problem("warehouse.url", "is missing; set it to the URL of the Postgres warehouse, such as ${DATABASE_URL}")
	}
	if s.Admin.Password == "" && !isLoopback(s.Admin.Listen) {
		problem("admin.listen", "is open to others and admin.password is empty; set a password, or listen on 127.0.0.1")
	}
	if s.NATS.Replicas < 1 || s.NATS.Replicas > 5 {
		problem("nats.replicas", "must be from 1 to 5")
	}

	names := make(map[string]bool)
	for i, d := range s.Destinations {
		at := func(key string) string { return fmt.Sprintf("destinations[%d].%s", i, key) }
		if why := badName(d.Name, names); why != "" {
			problem(at("name"), "%s", why)
		}
		names[d.Name] = true
		switch d.Type {
		case typeVero:
			if d.AuthToken == "" {
				problem(at("auth_token"), "is missing; set it to the Tracking API key of your Vero project (Settings > Project > Tracking API keys)")
			}
		case typeSegment:
			if d.URL == "" {
				problem(at("url"), "is missing; set it to the endpoint that speaks Segment's protocol, such as https://eu.example.com")
			}
			if d.WriteKey == "" {
				problem(at("write_key"), "is missing; set it to the write key that this endpoint expects")
			}
		default:
			problem(at("type"), "must be vero or segment, not %q", d.Type)
		}
	}

	if len(s.Sources) == 0 {
		problem("sources", "is empty; without a source nobody can send events")
	}
	sources, keys := make(map[string]bool), make(map[string]string)
	for i, source := range s.Sources {
		at := func(key string) string { return fmt.Sprintf("sources[%d].%s", i, key) }
		if why := badName(source.Name, sources); why != "" {
			problem(at("name"), "%s", why)
		}
		sources[source.Name] = true
		if source.Type != "" && source.Type != typeApp && source.Type != typeVero {
			problem(at("type"), "must be app or vero, not %q", source.Type)
		}
		if source.Trust != "" && source.Trust != "server" && source.Trust != "browser" {
			problem(at("trust"), "must be server or browser, not %q", source.Trust)
		}
		if len(source.WriteKeys) == 0 {
			problem(at("write_keys"), "is empty; a source needs a write key, a secret of your choice")
		}
		for j, key := range source.WriteKeys {
			path := fmt.Sprintf("sources[%d].write_keys[%d]", i, j)
			switch other, taken := keys[key]; {
			case key == "":
				problem(path, "is empty; a write key is a secret of your choice")
			case taken:
				problem(path, "is also a write key of source %s; each key belongs to one source", other)
			}
			keys[key] = source.Name
		}
		for j, name := range source.Destinations {
			path := fmt.Sprintf("sources[%d].destinations[%d]", i, j)
			switch k := slices.IndexFunc(s.Destinations, func(d destinationSettings) bool { return d.Name == name }); {
			case name == "warehouse":
				problem(path, "is not needed: every source goes to the warehouse")
			case k < 0:
				problem(path, "%q is not among the destinations", name)
			case source.Type == typeVero && s.Destinations[k].Type == typeVero:
				problem(path, "would send Vero's own events back to Vero; remove it")
			}
		}
	}
	return errors.Join(problems...)
}

func badName(name string, taken map[string]bool) string {
	switch {
	case name == "":
		return "is missing"
	case taken[name]:
		return fmt.Sprintf("%q is used twice", name)
	case slices.Contains(reservedNames, name), strings.HasPrefix(name, "pg_"):
		return fmt.Sprintf("%q is reserved; choose another name", name)
	case !nameForm.MatchString(name):
		return fmt.Sprintf("%q must start with a letter and hold only a-z, 0-9 and _, at most 48", name)
	default:
		return ""
	}
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
