package main

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/pgtest"
)

// importEnvironment has the settings that need no file.
func importEnvironment(url string) environment {
	values := map[string]string{"DATABASE_URL": url, "APP_WRITE_KEY": appKey, "VERO_WRITE_KEY": veroKey, "VERO_AUTH_TOKEN": veroToken}
	return func(name string) (string, bool) {
		value, set := values[name]
		return value, set
	}
}

// runCommand runs a subcommand and returns what it printed.
func runCommand(t *testing.T, env environment, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = run(t.Context(), args, env, &out, t.Output())
	return out.String(), err
}

// archived writes a folder as Segment archives calls.
func archived(t *testing.T, calls ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(strings.Join(calls, "\n") + "\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	day := filepath.Join(dir, "segment-logs", "aBcDe", "1577836800000")
	if err := os.MkdirAll(day, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(day, "1.gz"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestImportFilesByCommand(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	env := importEnvironment(url)
	dir := archived(t,
		`{"type":"track","messageId":"m1","userId":"u1","event":"Order Completed","properties":{"total":5},"receivedAt":"2020-01-01T00:00:00Z"}`,
		`{"type":"track","messageId":"m2","userId":"u1"}`,
		`{"batch":[{"type":"identify","messageId":"m3","userId":"u1","traits":{"email":"a@example.com"},"receivedAt":"first of May"}]}`,
		`{"type":"identify","messageId":"m3","userId":"u1","traits":{"email":"a@example.com"}}`)
	first, err := runCommand(t, env, "import", "--to", "app", dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"app.order_completed", "app.users", "1 no_event_name", "repeated: their ids", "1 calls have a receivedAt that is no time"} {
		if !strings.Contains(first, want) {
			t.Errorf("the output lacks %q:\n%s", want, first)
		}
	}
	again, err := runCommand(t, env, "import", "--to", "app", dir)
	if err != nil || again != first {
		t.Errorf("the second time: %v\n%s\nwant\n%s", err, again, first)
	}
	var rows int
	if err := connect(t, url).QueryRow(t.Context(), "select (select count(*) from app.tracks) + (select count(*) from app.users)").Scan(&rows); err != nil {
		t.Fatal(err)
	}
	if rows != 2 {
		t.Errorf("%d rows, want two", rows)
	}
}

// What one installation has, another can take over.
func TestImportSchemaByCommand(t *testing.T) {
	t.Parallel()
	old, current := pgtest.Database(t), pgtest.Database(t)
	for _, call := range []string{
		`{"type":"track","messageId":"m1","userId":"u1","event":"Order Completed","properties":{"total":5.5}}`,
		`{"type":"track","messageId":"m2","userId":"u1","event":"Order Completed","properties":{"total":"much"}}`,
	} {
		if _, err := runCommand(t, importEnvironment(old), "import", "--to", "app", archived(t, call)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := runCommand(t, importEnvironment(current), "import", "--to", "app", "--from", old, "--schema", "app"); err != nil {
		t.Fatal(err)
	}
	const sql = `select (select json_agg(json_build_array(id, event, total, user_id) order by id)::text from app.order_completed)
		|| (select json_agg(json_build_array(row_id, column_value))::text from app.discards)`
	var want, got string
	if err := connect(t, old).QueryRow(t.Context(), sql).Scan(&want); err != nil {
		t.Fatal(err)
	}
	if err := connect(t, current).QueryRow(t.Context(), sql).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("imported %s, want %s", got, want)
	}
}

// Who was erased does not come back with what was kept elsewhere.
func TestImportKnowsWhoWasErased(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	env := importEnvironment(url)
	if _, err := runCommand(t, env, "migrate"); err != nil {
		t.Fatal(err)
	}
	db := connect(t, url)
	mac := hmac.New(sha256.New, []byte("salt"))
	mac.Write([]byte("user\x00u1")) // as internal/people has it
	for sql, value := range map[string]any{
		"insert into verobridge.suppression_salt (salt) values ($1)":           []byte("salt"),
		"insert into verobridge.suppressions (hash, kind) values ($1, 'user')": hex.EncodeToString(mac.Sum(nil)),
	} {
		if _, err := db.Exec(t.Context(), sql, value); err != nil {
			t.Fatal(err)
		}
	}
	out, err := runCommand(t, env, "import", "--to", "app", archived(t,
		`{"type":"track","messageId":"m1","userId":"u1","event":"Order Completed"}`,
		`{"type":"track","userId":"u1"}`,
		`{"type":"track","messageId":"m2","userId":"u2","event":"Order Completed"}`))
	if err != nil || !strings.Contains(out, "2 suppressed") {
		t.Errorf("%v, it says\n%s", err, out)
	}
	var rows int
	err = db.QueryRow(t.Context(), "select (select count(*) from app.tracks) + (select count(*) from verobridge.rejected_events)").Scan(&rows)
	if err != nil || rows != 1 {
		t.Errorf("%d rows, %v, want that of the other one", rows, err)
	}
}

func TestImportSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	broken := filepath.Join(t.TempDir(), "broken.gz")
	if err := os.WriteFile(broken, []byte{0x1f, 0x8b, 8, 0}, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		`--to must be a source of the settings (app, vero), not "ap"`: {"--to", "ap", "x.ndjson"},
		"name the files to import":                                    {"--to", "app"},
		"either files or a schema":                                    {"--to", "app", "--from", url, "--schema", "old", "x.ndjson"},
		"needs both --from":                                           {"--to", "app", "--schema", "old"},
		"there is no schema old":                                      {"--to", "app", "--from", url, "--schema", "old"},
		"no such file":                                                {"--to", "app", "no-such-file"},
		"unexpected EOF":                                              {"--to", "app", broken},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			_, err := runCommand(t, importEnvironment(url), append([]string{"import"}, args...)...)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %q in it", err, want)
			}
		})
	}
}
