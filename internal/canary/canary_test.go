package canary_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/canary"
	"github.com/verobridge/verobridge/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// awkward is written differently almost everywhere.
const awkward = `planted "&<é>/ \+?`

var secrets = mustOf("planted-write-key", "planted-password", "", awkward)

func mustOf(values ...string) canary.Secrets {
	s, err := canary.Of(values...)
	if err != nil {
		panic(err)
	}
	return s
}

// What cannot be told from other text is no secret that could be looked for.
func TestOfRefusesShortSecrets(t *testing.T) {
	t.Parallel()
	if _, err := canary.Of("long-enough", "7-bytes"); err == nil || !strings.Contains(err.Error(), `"7-bytes" is too short`) {
		t.Errorf("a short secret: %v", err)
	}
}

// A planted secret is found in each form in which it could leak, and nothing else
// is.
func TestIn(t *testing.T) {
	t.Parallel()
	basic := func(text string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(text))
	}
	inJSON, err := json.Marshal(map[string]string{"password": awkward})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"POST /webhooks/vero/planted-write-key 200", basic("planted-write-key:"), `{"password":"planted-password"}`,
		basic(":planted-password"), basic("u:planted-password"), basic("us:planted-password"), basic("usr:planted-password:"),
		"x" + awkward, basic("user:" + awkward), string(inJSON), fmt.Sprintf("%q", awkward), "<p>" + html.EscapeString(awkward),
		"/x?key=" + url.QueryEscape(awkward), "/" + url.PathEscape(awkward),
		fmt.Sprintf("%x", awkward), fmt.Sprintf("%X", awkward),
		base64.URLEncoding.EncodeToString([]byte(awkward)), base64.RawStdEncoding.EncodeToString([]byte("1" + awkward + "2")),
	} {
		if problem := secrets.In(text); !strings.Contains(problem, "planted") {
			t.Errorf("%q passes: %q", text, problem)
		}
	}
	for _, text := range []string{"", "planted-write-ke", "short", basic("other:")} {
		if problem := secrets.In(text); problem != "" {
			t.Errorf("%q does not pass: %s", text, problem)
		}
	}
}

// A secret in a log line is found at every level, in messages, attributes, groups
// and errors, and lines go on to where they belong.
func TestHandler(t *testing.T) {
	t.Parallel()
	for name, log := range map[string]func(*slog.Logger){
		"message":   func(l *slog.Logger) { l.Info("key planted-write-key") },
		"attribute": func(l *slog.Logger) { l.Debug("refused", "key", "planted-write-key") },
		"error":     func(l *slog.Logger) { l.Warn("x", "error", fmt.Errorf("connect: %w", errors.New("planted-password"))) },
		"with":      func(l *slog.Logger) { l.With("url", "postgres://u:planted-password@h/d").Error("x") },
		"group": func(l *slog.Logger) {
			l.WithGroup("g").Debug("x", "settings", struct{ Key string }{"planted-write-key"})
		},
	} {
		var lines bytes.Buffer
		var leaks []string
		l := slog.New(secrets.Handler(slog.NewTextHandler(&lines, nil), func(problem string) { leaks = append(leaks, problem) }))
		l.Info("nothing")
		if len(leaks) > 0 {
			t.Errorf("%s: a line without a secret does not pass: %v", name, leaks)
		}
		log(l)
		if len(leaks) != 1 {
			t.Errorf("%s: leaks are %v", name, leaks)
		}
		if !strings.Contains(lines.String(), "nothing") {
			t.Errorf("%s: the line is gone", name)
		}
	}
}

func TestInTables(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for _, sql := range []string{
		"create schema app", `create table app."Odd" (calls jsonb)`, "create table app.clean (key text)", "insert into app.clean values ('short')",
		`insert into app."Odd" values ('{"calls":[{"url":"/webhooks/vero/planted-write-key"}]}')`,
		"create table app.encoded (n int, body bytea)", `insert into app.encoded values (1, 'clean'), (2, 'a planted-password')`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	found, err := secrets.InTables(t.Context(), conn)
	slices.Sort(found)
	if err != nil || len(found) != 2 || !strings.HasPrefix(found[0], `a row of app."Odd" holds "planted-write-key"`) || !strings.HasPrefix(found[1], `a row of app.encoded holds "planted-password"`) {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestInFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"clean": "short", "leaky": "\x00\x01planted-password\x00"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := secrets.InFiles(dir)
	if err != nil || len(found) != 1 || !strings.Contains(found[0], "leaky") {
		t.Errorf("found %v, %v", found, err)
	}
	if _, err := secrets.InFiles(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there counts as clean")
	}
}
