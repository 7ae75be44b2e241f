package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/mockvero"
	"github.com/verobridge/verobridge/internal/pgtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	if dir := os.Getenv(modelEnvironment); dir != "" {
		if err := runModelChild(dir, os.Getenv("VERO_URL")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	pgtest.Main(m)
}

// deadline bounds every wait in these tests; none is expected to come near it.
const deadline = 60 * time.Second

const (
	appKey    = "test-app-key"
	veroKey   = "test-vero-key"
	veroToken = "test-vero-token"
	// databasePassword is asked for by nobody: the tests' Postgres trusts its
	// machine. So it can only be found where it leaks.
	databasePassword = "test-database-password"
	// noDatabase is a warehouse that is not there: nobody listens on port 1.
	noDatabase = "postgres://nobody@127.0.0.1:1/none?sslmode=disable&connect_timeout=2"
)

// world is the whole program in this process, with what surrounds it: a real
// Postgres and a mock of Vero over HTTP.
type world struct {
	bridge *bridge
	db     *pgx.Conn
	vero   *mockvero.Server
	url    string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(t, serve(t, vero))
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	return &world{bridge: b, db: connect(t, s.Warehouse.URL), vero: vero, url: "http://" + b.publicAddr}
}

// serve gives the mock of Vero an address for the length of the test.
func serve(t testing.TB, vero *mockvero.Server) (url string) {
	t.Helper()
	server := httptest.NewServer(vero)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		vero.Close()
	})
	return server.URL
}

// startTestBridge starts a bridge that stops with the test, and fails it if a secret
// of its settings is anywhere but where it belongs.
func startTestBridge(t testing.TB, s settings, log *slog.Logger) *bridge {
	t.Helper()
	b, err := startBridge(t.Context(), s, watch(t, s, log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stopBridge(t, b)
		leavesNoSecret(t, b)
	})
	return b
}

// stopBridge stops a bridge, and looks at its pages before. One that has stopped
// stays so.
func stopBridge(t testing.TB, b *bridge) {
	t.Helper()
	if len(b.closers) > 0 {
		showsNoSecret(t, b)
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := b.stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func testSettings(t testing.TB, veroURL string) settings {
	t.Helper()
	s := defaultSettings()
	s.Listen, s.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0"
	s.DataDir = t.TempDir()
	s.Warehouse.URL = withPassword(t, pgtest.Database(t))
	s.Sources = []sourceSettings{
		{Name: "app", WriteKeys: []string{appKey}, Destinations: []string{"vero"}},
		{Name: "vero", Type: typeVero, WriteKeys: []string{veroKey}},
	}
	s.Destinations = []destinationSettings{{Name: "vero", Type: typeVero, AuthToken: veroToken, URL: veroURL + "/api/v2", AllowPrivate: true}}
	return s
}

// withPassword puts databasePassword into the URL of a database, unless it has one.
func withPassword(t testing.TB, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	if _, has := u.User.Password(); !has {
		u.User = url.UserPassword(u.User.Username(), databasePassword)
	}
	return u.String()
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

// post sends a body to the public API and fails unless the answer is a success.
func (w *world) post(t testing.TB, path, key string, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		request.SetBasicAuth(key, "")
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || string(bytes.TrimSpace(text)) != `{"success":true}` {
		t.Fatalf("POST %s: %d %s", path, answer.StatusCode, text)
	}
}

// await asks the database until the answer is yes.
func (w *world) await(t testing.TB, what, query string, args ...any) {
	t.Helper()
	started := time.Now()
	for {
		var yes bool
		err := w.db.QueryRow(t.Context(), query, args...).Scan(&yes)
		if err == nil && yes {
			return
		}
		if time.Since(started) > deadline {
			t.Fatalf("%s did not happen within %s (%v): %s", what, deadline, err, query)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

// settle waits until everything that was sent so far is done: an event sent
// now is behind all of it, at each destination.
func (w *world) settle(t *testing.T, name string) {
	t.Helper()
	keys := map[string]string{"app": appKey, "vero": veroKey}
	for _, source := range w.bridge.settings.Sources {
		key, known := keys[source.Name]
		if !known {
			continue
		}
		id := "settled-" + name + "-" + source.Name
		w.post(t, "/v1/identify", key, fmt.Appendf(nil, `{"messageId":%q,"userId":"sentinel","timestamp":"2026-01-01T00:00:00Z"}`, id))
		w.await(t, "the sentinel's delivery", `
			select count(*) = $2 from verobridge.deliveries where message_id = $1 and status = 'delivered'`,
			id, len(source.Destinations)+1) // the warehouse
	}
}

// rows returns all rows of the sources' tables as text, table by table, each
// row by column name. Times that the server sets are shown as set or not set.
func (w *world) rows(t *testing.T) map[string][]map[string]any {
	t.Helper()
	names, err := w.db.Query(t.Context(), `
		select table_schema || '.' || table_name
		from information_schema.tables
		where table_schema in ('app', 'vero') and table_type = 'BASE TABLE'
		order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(names, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]map[string]any)
	for _, table := range tables {
		found, err := w.db.Query(t.Context(), `select to_jsonb(t) from `+table+` t where to_jsonb(t)::text not like '%sentinel%' order by to_jsonb(t)->>'id', to_jsonb(t)->>'row_id'`)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := pgx.CollectRows(found, pgx.RowTo[map[string]any])
		if err != nil {
			t.Fatal(err)
		}
		all[table] = rows
	}
	return all
}

// withoutServerTimes hides what differs from run to run, and the columns that
// hold nothing.
func withoutServerTimes(tables map[string][]map[string]any) map[string][]map[string]any {
	shown := make(map[string][]map[string]any)
	for table, rows := range tables {
		shown[table] = []map[string]any{}
		for _, row := range rows {
			visible := make(map[string]any)
			for column, value := range row {
				switch {
				case value == nil:
				case slices.Contains([]string{"received_at", "sent_at", "uuid_ts", "timestamp"}, column), isNow(value):
					visible[column] = "set"
				default:
					visible[column] = value
				}
			}
			shown[table] = append(shown[table], visible)
		}
	}
	return shown
}

// isNow says whether a value is a time of this test run: what the server sets
// where Vero sends none.
func isNow(value any) bool {
	text, _ := value.(string)
	t, err := time.Parse(time.RFC3339Nano, text)
	return err == nil && time.Since(t).Abs() < time.Hour
}

// golden compares a value, as indented JSON, with a file in testdata.
func golden(t *testing.T, name string, got any) {
	t.Helper()
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with go test -update", err)
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func count(t *testing.T, db *pgx.Conn, query string, args ...any) int {
	t.Helper()
	var n int
	if err := db.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// awaitCondition looks until something is so.
func awaitCondition(t testing.TB, what string, is func() bool) {
	t.Helper()
	for started := time.Now(); !is(); {
		if time.Since(started) > deadline {
			t.Fatalf("waited %s for %s", deadline, what)
		}
		pause(t, 10*time.Millisecond)
	}
}

// pause lets time pass. Between two looks, or as a part of a scenario.
func pause(t testing.TB, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}
