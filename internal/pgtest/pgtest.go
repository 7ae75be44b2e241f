// Package pgtest gives each test a database of its own on a real Postgres.
//
// One server is started for each test process, from the installed binaries, and
// a database is made from the template for each test: that takes some tens of
// milliseconds, and no test can see another's tables. A test that cannot have
// its database fails; none is skipped.
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
//	func TestLoad(t *testing.T) {
//		url := pgtest.Database(t)
//		…
//	}
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/localpg"
)

// URLVariable names the environment variable that holds the URL of a server to
// use instead of a private one. Its user must be allowed to create databases.
const URLVariable = "VEROBRIDGE_TEST_DATABASE_URL"

// settings trade safety that a test does not need for speed.
var settings = map[string]string{
	"fsync":              "off",
	"synchronous_commit": "off",
	"full_page_writes":   "off",
	"autovacuum":         "off",
	"max_connections":    "200",
}

var (
	server  string // URL of the server, set by Main
	created atomic.Int64
)

// Main runs the tests of a package with a server and exits.
func Main(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if server = os.Getenv(URLVariable); server != "" {
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := localpg.Start(context.Background(), localpg.Options{Dir: dir, Settings: settings})
	if err != nil {
		return 0, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = errors.Join(err, s.Stop(ctx))
	}()
	server = s.URL()
	return m.Run(), nil
}

// Database returns the URL of a fresh, empty database, which is dropped when
// the test ends.
func Database(t testing.TB) string {
	t.Helper()
	if server == "" {
		t.Fatal("pgtest: no server; call pgtest.Main from TestMain")
	}
	name := fmt.Sprintf("pgtest_%d_%d", os.Getpid(), created.Add(1))
	exec(t, "create database "+pgx.Identifier{name}.Sanitize())
	t.Cleanup(func() { exec(t, "drop database "+pgx.Identifier{name}.Sanitize()+" with (force)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("pgtest: read %s: %v", URLVariable, err)
	}
	u.Path = "/" + name
	return u.String()
}

func exec(t testing.TB, sql string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // it has ended when the test cleans up
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("pgtest: %s: %v", sql, err)
	}
}
