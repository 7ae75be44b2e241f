package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/doctor"
	"github.com/verobridge/verobridge/internal/mockvero"
	"github.com/verobridge/verobridge/internal/pgtest"
)

// checked is what check is tried on: settings in a file.
type checked struct {
	database, vero, token string
	dataDir               string
	listen, admin         string
	more                  string // lines of settings
}

// newChecked returns settings with which all is well but for what the tests' own
// Postgres is warned of: it is fast rather than safe.
func newChecked(t *testing.T) checked {
	t.Helper()
	return checked{
		database: pgtest.Database(t),
		vero:     serve(t, mockvero.New(mockvero.Options{AuthToken: veroToken})) + "/api/v2",
		token:    veroToken,
		dataDir:  filepath.Join(t.TempDir(), "data"),
		listen:   freeListener(t),
		admin:    freeListener(t),
	}
}

// freeListener returns an address of this machine that nobody listens at.
func freeListener(t *testing.T) string {
	t.Helper()
	address, err := freeAddress(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func (c checked) file(t *testing.T) string {
	t.Helper()
	text := fmt.Sprintf(`
listen: %q
admin: {listen: %q}
data_dir: %q
warehouse: {url: %q}
sources:
  - {name: app, write_keys: [app-secret], destinations: [vero]}
  - {name: vero, type: vero, write_keys: [vero-secret]}
destinations:
  - {name: vero, type: vero, auth_token: %q, url: %q, allow_private: true}
%s`, c.listen, c.admin, c.dataDir, c.database, c.token, c.vero, c.more)
	file := filepath.Join(t.TempDir(), "verobridge.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// check runs the subcommand and returns what it finds.
func (c checked) check(t *testing.T, args ...string) ([]doctor.Finding, error) {
	t.Helper()
	var out strings.Builder
	err := run(t.Context(), append([]string{"check", "--json", "--config", c.file(t)}, args...), everySet, &out, io.Discard)
	for _, secret := range []string{"app-secret", "vero-secret", "db-secret", c.token} {
		if strings.Contains(out.String(), secret) || err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s is shown: %s %v", secret, out.String(), err)
		}
	}
	var all []doctor.Finding
	for line := range strings.Lines(out.String()) {
		var f doctor.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, f)
	}
	return all, err
}

// expect fails unless something of a level and an area is found whose sentence, or
// cure, has a text in it.
func expect(t *testing.T, all []doctor.Finding, level doctor.Level, area, text string) {
	t.Helper()
	if !slices.ContainsFunc(all, func(f doctor.Finding) bool {
		return f.Level == level && f.Area == area && (strings.Contains(f.What, text) || strings.Contains(f.Cure, text))
	}) {
		t.Errorf("no %s of %s says %q: %+v", level, area, text, all)
	}
}

func TestCheckBeforeTheFirstStart(t *testing.T) {
	t.Parallel()
	all, err := newChecked(t).check(t)
	if err != nil {
		t.Errorf("%v: %+v", err, all)
	}
	for area, text := range map[string]string{
		"settings": "are valid", "bridge": "none runs", "data_dir": "a sync takes", "warehouse": "answers",
		"destination vero": "takes the auth_token", "listen": "is free",
	} {
		expect(t, all, doctor.OK, area, text)
	}
}

// Beside the bridge it looks at the bridge, and leaves it alone.
func TestCheckBesideTheBridge(t *testing.T) {
	t.Parallel()
	c := newChecked(t)
	c.more = "public_url: http://" + c.listen
	s, err := loadSettings(c.file(t), everySet)
	if err != nil {
		t.Fatal(err)
	}
	b := startTestBridge(t, s, slog.New(slog.DiscardHandler))
	all, err := c.check(t)
	if err != nil {
		t.Errorf("%v: %+v", err, all)
	}
	expect(t, all, doctor.OK, "listen", "the bridge answers at")
	expect(t, all, doctor.OK, "public_url", c.listen+"/webhooks/vero/<write key>")
	awaitCondition(t, "a bridge that is ready", func() bool {
		all, _ = c.check(t)
		return slices.ContainsFunc(all, func(f doctor.Finding) bool { return f.What == "it runs and takes events" })
	})

	other := c
	other.listen, other.admin = freeListener(t), freeListener(t)
	all, err = other.check(t)
	if err == nil {
		t.Error("no error of two bridges with one data_dir")
	}
	expect(t, all, doctor.Error, "bridge", "a data_dir of its own")
	other = c
	other.dataDir = t.TempDir()
	all, err = other.check(t)
	if err == nil {
		t.Error("no error of a bridge that is another one")
	}
	expect(t, all, doctor.Error, "bridge", "not one with this data_dir")
	if err := b.spool.Ready(); err != nil {
		t.Errorf("afterwards the bridge is not ready: %v", err)
	}
}

func TestCheckNamesTheMissingGrant(t *testing.T) {
	t.Parallel()
	c := newChecked(t)
	db := connect(t, c.database)
	u, err := url.Parse(c.database)
	if err != nil {
		t.Fatal(err)
	}
	role := "check_" + strings.TrimPrefix(u.Path, "/")
	if _, err := db.Exec(t.Context(), "create role "+role+" login password 'db-secret'"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec(context.WithoutCancel(t.Context()), "drop owned by "+role+"; drop role "+role); err != nil {
			t.Error(err)
		}
	})
	u.User = url.UserPassword(role, "db-secret")
	c.database = u.String()
	all, err := c.check(t)
	if err == nil {
		t.Errorf("no error where nothing is allowed: %+v", all)
	}
	grant := `grant create on database "` + strings.TrimPrefix(u.Path, "/") + `" to "` + role + `";`
	expect(t, all, doctor.Error, "warehouse", grant)
	if _, err := db.Exec(t.Context(), grant); err != nil {
		t.Fatal(err)
	}
	if all, err := c.check(t); err != nil {
		t.Errorf("%v: %+v", err, all)
	}
}

func TestCheckOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	c := newChecked(t)
	c.database = "postgres://somebody:db-secret@127.0.0.1:1/none?sslmode=disable"
	c.token = "wrong-token"
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", c.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c.more = "public_url: http://" + freeListener(t) + "\ntls: {cert: none.pem, key: none.pem}"
	all, err := c.check(t)
	if err == nil || exitCode(err) != 1 {
		t.Errorf("the error is %v", err)
	}
	expect(t, all, doctor.Error, "warehouse", "check warehouse.url")
	expect(t, all, doctor.Error, "destination vero", "auth_token is refused")
	expect(t, all, doctor.Error, "listen", "stop what listens there")
	expect(t, all, doctor.Error, "public_url", "is not to be reached")
	expect(t, all, doctor.Error, "tls", "certificate cannot be used")
}

// A Vero that accepts connections and says nothing does not keep the rest waiting.
func TestCheckOfAVeroThatHangs(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := newChecked(t)
	c.vero = "http://" + listener.Addr().String()
	all, err := c.check(t)
	if err == nil {
		t.Error("no error of a Vero that says nothing")
	}
	expect(t, all, doctor.Error, "destination vero", "does not answer")
	expect(t, all, doctor.OK, "warehouse", "answers")
}

func TestCheckIsStrictIfAsked(t *testing.T) {
	t.Parallel()
	c := newChecked(t)
	if err := os.MkdirAll(filepath.Join(c.dataDir, "spool"), 0o755); err != nil { //nolint:gosec // what is to be found
		t.Fatal(err)
	}
	all, err := c.check(t)
	if err != nil {
		t.Errorf("a warning is an error: %v, %+v", err, all)
	}
	expect(t, all, doctor.Warning, "data_dir", "chmod 700")
	if _, err := c.check(t, "--strict"); err == nil || !strings.Contains(err.Error(), "warning") {
		t.Errorf("with --strict the error is %v", err)
	}
}

func TestCheckOfWrongSettings(t *testing.T) {
	t.Parallel()
	c := checked{token: veroToken, more: "warehous: {}\nnats: {replicas: many}"}
	all, err := c.check(t)
	if err == nil || err.Error() != "check found 2 errors and 0 warnings" {
		t.Errorf("the error is %v", err)
	}
	expect(t, all, doctor.Error, "settings", "warehous is not a setting")
	expect(t, all, doctor.Error, "settings", "nats.replicas must be")
}

func TestCheckForPeople(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	c := checked{token: veroToken, more: "warehous: {}"}
	if err := run(t.Context(), []string{"check", "--config", c.file(t)}, everySet, &out, io.Discard); err == nil {
		t.Error("no error")
	}
	if !strings.HasPrefix(out.String(), "error    settings: ") {
		t.Errorf("it prints %s", out.String())
	}
}

// The webhook that is told is looked at, and told nothing; its secret is not shown.
func TestCheckAsksTheWebhook(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method
		w.WriteHeader(http.StatusBadRequest) // as Slack answers a GET
	}))
	s := settings{Notify: notifySettings{URL: server.URL + "/services/secret"}}
	expect(t, s.checkNotify(t.Context()), doctor.OK, "notify", "answers")
	if method := <-asked; method != http.MethodGet {
		t.Errorf("it was asked with %s", method)
	}
	server.Close()
	all := s.checkNotify(t.Context())
	expect(t, all, doctor.Warning, "notify", "does not answer")
	if strings.Contains(fmt.Sprint(all), "secret") {
		t.Errorf("it shows the secret: %+v", all)
	}
}
