package main

import (
	"context"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/pgtest"
)

// check runs the subcommand on a database and returns what it prints.
func check(t *testing.T, database string) (string, error) {
	t.Helper()
	values := map[string]string{
		"DATABASE_URL": database, "APP_WRITE_KEY": "app-secret", "VERO_WRITE_KEY": "vero-secret", "VERO_AUTH_TOKEN": "token-secret",
	}
	env := func(name string) (string, bool) {
		value, set := values[name]
		return value, set
	}
	var out strings.Builder
	err := run(t.Context(), []string{"check"}, env, &out, io.Discard)
	if strings.Contains(out.String(), "secret") || err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("a secret is shown: %s %v", out.String(), err)
	}
	return out.String(), err
}

func TestCheckOfADatabaseThatWorks(t *testing.T) {
	t.Parallel()
	out, err := check(t, pgtest.Database(t))
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.HasPrefix(out, "ok    the settings are valid\nok    Postgres ") {
		t.Errorf("output is %s", out)
	}
}

func TestCheckNamesTheMissingGrant(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	db := connect(t, database)
	u, err := url.Parse(database)
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
	out, err := check(t, u.String())
	if err == nil {
		t.Errorf("no error where nothing is allowed\n%s", out)
	}
	grant := `grant create on database "` + strings.TrimPrefix(u.Path, "/") + `" to "` + role + `";`
	if !strings.Contains(out, "cure: "+grant) {
		t.Fatalf("output does not have %s:\n%s", grant, out)
	}
	if _, err := db.Exec(t.Context(), grant); err != nil {
		t.Fatal(err)
	}
	if out, err := check(t, u.String()); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestCheckWithoutADatabase(t *testing.T) {
	t.Parallel()
	_, err := check(t, "postgres://somebody:db-secret@127.0.0.1:1/none?sslmode=disable")
	if err == nil || !strings.Contains(err.Error(), "check warehouse.url") {
		t.Errorf("error is %v, want one with a cure", err)
	}
}

func TestCheckOfWrongSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "verobridge.yaml")
	if err := os.WriteFile(file, []byte("warehous: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), []string{"check", "--config", file}, everySet, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "warehous is not a setting") {
		t.Errorf("error is %v, want one that names the setting", err)
	}
}
