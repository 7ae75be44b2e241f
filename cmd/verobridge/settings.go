package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/verobridge/verobridge/warehouse"
)

// settings are what verobridge.yaml says. Their names are a contract with
// whoever runs the bridge.
type settings struct {
	Listen       string                `yaml:"listen"`
	PublicURL    string                `yaml:"public_url"`
	TLS          tlsSettings           `yaml:"tls"`
	Limits       limitSettings         `yaml:"limits"`
	AnalyticsDir string                `yaml:"analytics_dir"`
	Admin        adminSettings         `yaml:"admin"`
	DataDir      string                `yaml:"data_dir"`
	NATS         natsSettings          `yaml:"nats"`
	Warehouse    warehouseSettings     `yaml:"warehouse"`
	Notify       notifySettings        `yaml:"notify"`
	Sources      []sourceSettings      `yaml:"sources"`
	Destinations []destinationSettings `yaml:"destinations"`
}

type adminSettings struct {
	Listen   string `yaml:"listen"`
	Password string `yaml:"password"`
}

// tlsSettings name the files of a certificate in PEM, the chain first.
type tlsSettings struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

func (t tlsSettings) validate(problem problemFunc) {
	switch {
	case t.Cert == "" && t.Key != "":
		problem("tls.cert", "is missing; set it to the file of the certificate, or leave out tls.key")
	case t.Key == "" && t.Cert != "":
		problem("tls.key", "is missing; set it to the file of the certificate's key, or leave out tls.cert")
	}
}

// limitSettings bound what one request, and all of them together, may take.
// Zero is the default.
type limitSettings struct {
	BodyBytes     int64 `yaml:"body_bytes"`
	BufferedBytes int64 `yaml:"buffered_bytes"`
	// Connections is how many of them each listener holds.
	Connections int `yaml:"connections"`
}

func (l limitSettings) validate(problem problemFunc) {
	const (
		leastBody = 512_000  // what Segment's server SDKs fill a batch up to
		mostBody  = 16 << 20 // what the spool keeps in one record
	)
	if l.BodyBytes != 0 && l.BodyBytes < leastBody {
		problem("limits.body_bytes", "must be at least %d, the size of the batches that SDKs make", leastBody)
	}
	if l.BodyBytes > mostBody {
		problem("limits.body_bytes", "must be at most %d", mostBody)
	}
	const bodies = 5 // one, and four times that for its events
	if l.BufferedBytes != 0 && l.BufferedBytes < bodies*max(l.BodyBytes, leastBody) {
		problem("limits.buffered_bytes", "must be at least %d times limits.body_bytes, or the largest batch never fits", bodies)
	}
	if l.Connections != 0 && l.Connections < leastConnections {
		problem("limits.connections", "must be at least %d, or 0 for %d", leastConnections, defaultConnections)
	}
}

type natsSettings struct {
	URL      string `yaml:"url"`
	Replicas int    `yaml:"replicas"`
}

type warehouseSettings struct {
	URL        string   `yaml:"url"`
	Readers    []string `yaml:"readers"`
	Mode       string   `yaml:"mode"`
	MaxColumns int      `yaml:"max_columns"`
	// Connections is how many sources are loaded at the same time, 0 for as many
	// as suit the machine.
	Connections int `yaml:"connections"`
	// DeliveriesRetention is how long it is kept what became of events, such as
	// 90d, or forever.
	DeliveriesRetention string `yaml:"deliveries_retention"`
}

// validate never shows the URL: a password may be in it, also in the wrong
// place.
func (w warehouseSettings) validate(problem problemFunc) {
	const form = "postgres://user:password@host:5432/database"
	u, err := url.Parse(w.URL)
	switch {
	case w.URL == "":
		problem("warehouse.url", "is missing; set it to the URL of the Postgres warehouse, such as ${DATABASE_URL}")
	case err != nil, u.Scheme != "postgres" && u.Scheme != "postgresql", strings.Contains(u.Path, "@"):
		problem("warehouse.url", "must look like %s; write special characters of the password as %%XX, @ as %%40 and / as %%2F", form)
	}
	if !slices.Contains([]string{string(warehouse.ModeSegment), string(warehouse.ModeRudderStack)}, w.Mode) {
		problem("warehouse.mode", "must be %s or %s, not %q", warehouse.ModeSegment, warehouse.ModeRudderStack, w.Mode)
	}
	const leastColumns = 100 // room for those that every table has, and some
	if w.MaxColumns < leastColumns || w.MaxColumns > warehouse.MostColumns {
		problem("warehouse.max_columns", "must be from %d to %d", leastColumns, warehouse.MostColumns)
	}
	w.validateRetention(problem)
	const mostConnections = 64
	if w.Connections < 0 || w.Connections > mostConnections {
		problem("warehouse.connections", "must be from 1 to %d, or 0 for as many as suit the machine", mostConnections)
	}
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
		Notify:  notifySettings{Lag: defaultLag},
		Warehouse: warehouseSettings{
			Mode:       string(warehouse.ModeSegment),
			MaxColumns: warehouse.DefaultMaxColumns,

			DeliveriesRetention: defaultRetention,
		},
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
	s.Destinations[0].URL, _ = env("VERO_URL")
	if allow, _ := env("VERO_ALLOW_PRIVATE"); allow != "" {
		var err error
		if s.Destinations[0].AllowPrivate, err = strconv.ParseBool(allow); err != nil {
			problems = append(problems, fmt.Errorf("VERO_ALLOW_PRIVATE must be true or false, not %q", allow))
		}
	}
	if len(problems) > 0 {
		return settings{}, errors.Join(problems...)
	}
	return s, s.validate(func(path string) string {
		if name, ok := variableOf[path]; ok {
			return name
		}
		return path
	})
}

// variableOf says which environment variable a setting comes from where there
// is no file.
var variableOf = map[string]string{
	"warehouse.url":              "DATABASE_URL",
	"sources[0].write_keys[0]":   "APP_WRITE_KEY",
	"sources[1].write_keys[0]":   "VERO_WRITE_KEY",
	"destinations[0].auth_token": "VERO_AUTH_TOKEN",
	"destinations[0].url":        "VERO_URL",

	"destinations[0].allow_private": "VERO_ALLOW_PRIVATE",
}

// nameForm is what names of sources and destinations look like. A source's
// name is a Postgres schema and both are parts of NATS subjects.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// reservedNames are schemas, or destinations, that verobridge or Postgres owns.
var reservedNames = []string{"verobridge", "public", "warehouse", "email_analytics", "information_schema", "pg_catalog"}

// problemFunc notes what is wrong with the setting at a path, and the cure.
type problemFunc func(path, format string, args ...any)

// validate finds what cannot work. place turns the path of a setting into its
// place in the file.
func (s settings) validate(place func(path string) string) error {
	var problems []error
	problem := func(path, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s %s", place(path), fmt.Sprintf(format, args...)))
	}

	s.Warehouse.validate(problem)
	if s.Admin.Password == "" && !isLoopback(s.Admin.Listen) {
		problem("admin.listen", "is open to others and admin.password is empty; set a password, or listen on 127.0.0.1")
	}
	if s.NATS.Replicas < 1 || s.NATS.Replicas > 5 {
		problem("nats.replicas", "must be from 1 to 5")
	}

	s.TLS.validate(problem)
	s.Limits.validate(problem)
	s.Notify.validate(problem)
	if u, err := url.Parse(s.PublicURL); s.PublicURL != "" && (err != nil || u.Host == "") {
		problem("public_url", "must look like https://events.example.com")
	}
	s.validateDestinations(problem)
	s.validateSources(problem)
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
