package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/mockvero"
	"github.com/verobridge/verobridge/internal/sdktest"
)

// captures are requests of real SDKs, byte for byte. What the door makes of
// each is in the file beside it that ends in .golden.
const (
	captures = "../../ingest/testdata/wire/"
	// capturedKey is the write key with which they were captured.
	capturedKey = "wk_test"
)

// Every captured request is answered as its SDK needs, and each of its calls is
// a row, once, however often it was sent: in the table of its type and as
// the golden file shows it.
func TestCapturedRequestsBecomeRows(t *testing.T) {
	t.Parallel()
	s := testSettings(t, serve(t, mockvero.New(mockvero.Options{AuthToken: veroToken})))
	s.Sources[0].WriteKeys = append(s.Sources[0].WriteKeys, capturedKey)
	s.AnalyticsDir = sdktest.BrowserBundle(t)
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	w := &world{bridge: b, db: connect(t, s.Warehouse.URL), url: "http://" + b.publicAddr}

	files, err := filepath.Glob(captures + "*.http")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d captured requests, %v", len(files), err)
	}
	want := make(map[string]string)
	for _, file := range files {
		request := sdktest.Captured(t, file)
		status, calls := expected(t, strings.TrimSuffix(file, ".http")+".golden")
		if strings.HasPrefix(request, "GET /analytics.js/") || strings.HasPrefix(request, "GET /analytics-next/") {
			status = http.StatusOK // here the files of the SDK are served
		}
		for range 2 {
			if got := exchange(t, b.publicAddr, request); got != status {
				t.Errorf("%s is answered %d, want %d", filepath.Base(file), got, status)
			}
		}
		for id, table := range calls {
			want[id] = table
		}
	}
	w.settle(t, "captured")

	rows := w.rows(t)
	got := make(map[string]string)
	for _, table := range sixTables {
		for _, row := range rows["app."+table] {
			id := row["id"].(string)
			if other, taken := got[id]; taken {
				t.Errorf("%s is in %s and %s", id, other, table)
			}
			got[id] = table
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls by id (-want +got):\n%s", diff)
	}
	golden(t, "captured/rows.json", withoutServerTimes(rows))
	if n := w.text(t, `select count(*)::text from verobridge.rejected_events`); n != "0" {
		t.Errorf("%s calls of real SDKs are refused", n)
	}
}

var accepted = regexp.MustCompile(`(?m)^event (\S+) of app, (\w+), received`)

// expected reads the status and the calls, table by id, in a golden file of the
// door.
func expected(t *testing.T, file string) (status int, calls map[string]string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(content), "%d", &status); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	calls = make(map[string]string)
	types := []string{"identify", "track", "page", "screen", "group", "alias"}
	for _, match := range accepted.FindAllStringSubmatch(string(content), -1) {
		calls[match[1]] = sixTables[slices.Index(types, match[2])]
	}
	return status, calls
}

// exchange writes a request to a connection of its own and returns the status
// of the answer.
func exchange(t *testing.T, address, request string) int {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}
