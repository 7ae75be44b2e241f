package localpg

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var quick = map[string]string{"fsync": "off"}

// tempDir is a directory whose parents the server's account can enter when the
// tests run as root.
func tempDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func startIn(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), Options{Dir: dir, Settings: quick})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func query(t *testing.T, s *Server, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var value string
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func TestServerKeepsDataAndPort(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	first := startIn(t, dir)
	if got := query(t, first, "show fsync"); got != "off" {
		t.Errorf("fsync is %s, want off", got)
	}
	if got := query(t, first, "select pg_encoding_to_char(encoding) || ' ' || datcollate from pg_database where datname = 'postgres'"); got != "UTF8 C" {
		t.Errorf("encoding and locale are %q, want UTF8 C", got)
	}
	execute(t, first, "create table kept as select 42 as n")
	stop(t, first)
	stop(t, first) // harmless
	if _, err := pgx.Connect(t.Context(), first.URL()); err == nil {
		t.Fatal("a stopped server answers")
	}

	second := startIn(t, dir)
	if first.URL() != second.URL() {
		t.Errorf("the URL changed from %s to %s", first.URL(), second.URL())
	}
	if got := query(t, second, "select n::text from kept"); got != "42" {
		t.Errorf("kept %s, want 42", got)
	}
}

func execute(t *testing.T, s *Server, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestDirectoryHasOneOwner(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	first := startIn(t, dir)
	_, err := Start(t.Context(), Options{Dir: dir, Settings: quick})
	if err == nil || !strings.Contains(err.Error(), "in use by another verobridge") {
		t.Errorf("second start: %v, want an error that says who uses it", err)
	}
	if got := query(t, first, "select 'alive'"); got != "alive" {
		t.Error("the first server did not survive")
	}
}

func TestTakenPortIsReplaced(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	port := taken.Addr().(*net.TCPAddr).Port
	if err := os.WriteFile(filepath.Join(dir, "port"), []byte(strconv.Itoa(port)), 0o644); err != nil {
		t.Fatal(err)
	}
	s := startIn(t, dir)
	if s.port == port {
		t.Errorf("the server took port %d, which is in use", port)
	}
	query(t, s, "select 'here'")
}

func TestStartAfterKill(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	first := startIn(t, dir)
	execute(t, first, "create table kept as select 42 as n")
	if err := first.process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-first.exited
	_ = first.lock.Close() // as the system does for a program that dies
	if _, err := os.Stat(pidFile(filepath.Join(dir, "data"))); err != nil {
		t.Fatalf("a killed server leaves its file: %v", err)
	}
	if got := query(t, startIn(t, dir), "select n::text from kept"); got != "42" {
		t.Errorf("kept %s, want 42", got)
	}
}

func TestStartStopsAnOrphan(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	orphan := startIn(t, dir)
	_ = orphan.lock.Close() // its program died, the server did not
	s := startIn(t, dir)
	if !orphan.gone() {
		t.Error("the server left behind still runs")
	}
	if orphan.URL() != s.URL() {
		t.Errorf("the URL changed from %s to %s", orphan.URL(), s.URL())
	}
	query(t, s, "select 'here'")
}

func TestStartIgnoresAnotherProcessOfThatNumber(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	first := startIn(t, dir)
	stop(t, first)
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	data := filepath.Join(dir, "data")
	stale := fmt.Sprintf("%d\n%s\n0\n%d\n\n127.0.0.1\n0 0\nready\n", other.Process.Pid, data, first.port)
	if err := os.WriteFile(pidFile(data), []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	query(t, startIn(t, dir), "select 'here'")
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the other process was stopped: %v", err)
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Options{Dir: tempDir(t), Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("start with an unknown setting: %v, want the server's words", err)
	}
	if _, err := Start(t.Context(), Options{}); err == nil {
		t.Error("start without a directory succeeded")
	}
}
