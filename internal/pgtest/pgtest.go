// Package pgtest gives each test a database of its own on a real Postgres.
//
// One server is started for each test process, from the installed binaries, and
// a database is made from the template for each test: that takes some tens of
// milliseconds, and no test can see another's tables. A test that cannot have
// its database fails; none is skipped.
//
// Which Postgres that is, two environment variables may say: one for a server that
// runs already, one for a version (internal/pgversion).
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

	"github.com/verobridge/verobridge/internal/leaktest"
	"github.com/verobridge/verobridge/internal/localpg"
	"github.com/verobridge/verobridge/internal/pgversion"
)

// URLVariable names the environment variable that holds the URL of a server to
// use instead of a private one. Its user must be allowed to create databases.
const URLVariable = "VEROBRIDGE_TEST_DATABASE_URL"

// VersionVariable names the environment variable that holds the version of the
// private server, such as 13. Without it the one that is installed is used.
const VersionVariable = "VEROBRIDGE_TEST_POSTGRES_VERSION"

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

// Main runs the tests of a package with a server, looks for goroutines that they
// left behind (internal/leaktest), and exits.
func Main(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code == 0 {
		code = leaktest.Check()
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if server = os.Getenv(URLVariable); server != "" {
		return m.Run(), nil
	}
	url, stop, err := start(os.Getenv(VersionVariable))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	server = url
	return m.Run(), nil
}

// start starts a server of a version, the installed one if that is empty.
func start(version string) (url string, stop func() error, err error) {
	o := localpg.Options{Settings: settings}
	if version != "" {
		if o.BinDir, err = pgversion.BinDir(version); err != nil {
			return "", nil, err
		}
	}
	if o.Dir, err = os.MkdirTemp("", "pgtest"); err != nil {
		return "", nil, err
	}
	s, err := localpg.Start(context.Background(), o)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(o.Dir))
	}
	return s.URL(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return errors.Join(s.Stop(ctx), os.RemoveAll(o.Dir))
	}, nil
}

// Version starts a server of a version for the length of a test and returns the
// URL of an empty database on it.
func Version(t testing.TB, version string) string {
	t.Helper()
	url, stop, err := start(version)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return url
}

// Database returns the URL of a fresh, empty database, which is dropped when
// the test ends.
func Database(t testing.TB) string {
	t.Helper()
	if server == "" {
		t.Fatal("pgtest: no server; call pgtest.Main from TestMain")
	}
	name := fmt.Sprintf("pgtest_%d_%d", os.Getpid(), created.Add(1))
	execute(t, "create database "+pgx.Identifier{name}.Sanitize())
	t.Cleanup(func() { execute(t, "drop database "+pgx.Identifier{name}.Sanitize()+" with (force)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("pgtest: read %s: %v", URLVariable, err)
	}
	u.Path = "/" + name
	return u.String()
}

func execute(t testing.TB, sql string) {
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
