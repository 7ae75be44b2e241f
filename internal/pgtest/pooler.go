package pgtest

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// poolerConfig is as little as PgBouncer needs: everybody may in, as the user who
// owns the tests' server, and a connection is a client's until it leaves.
const poolerConfig = `[databases]
* = host=%s port=%s user=%s password=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = session
`

// poolerTimeout bounds how long PgBouncer may take to let somebody in.
const poolerTimeout = 30 * time.Second

// Pooled starts PgBouncer, in session mode, before the database at url for the
// length of a test, and returns the URL that leads through it. PgBouncer does not
// run as root; it becomes nobody then.
func Pooled(t testing.TB, database string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // where Debian has it, outside of most users' PATH
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	port := freePort(t)
	file := filepath.Join(t.TempDir(), "pgbouncer.ini")
	password, ok := u.User.Password()
	if !ok {
		password = "none" // PgBouncer wants one; a server that trusts us does not ask
	}
	config := fmt.Sprintf(poolerConfig, u.Hostname(), u.Port(), u.User.Username(), password, port)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	args := []string{file}
	if os.Geteuid() == 0 {
		args = []string{"-u", "nobody", file}
	}
	var log output
	pooler := exec.CommandContext(t.Context(), program, args...)
	pooler.Stdout, pooler.Stderr = &log, &log
	if err := pooler.Start(); err != nil {
		t.Fatalf("pgtest: start PgBouncer: %v; install it: apt-get install -y pgbouncer", err)
	}
	t.Cleanup(func() {
		_ = pooler.Process.Kill()
		_ = pooler.Wait()
	})
	u.Host = net.JoinHostPort("127.0.0.1", fmt.Sprint(port))
	for deadline := time.Now().Add(poolerTimeout); ; {
		conn, err := pgx.Connect(t.Context(), u.String())
		if err == nil {
			_ = conn.Close(t.Context())
			return u.String()
		}
		if time.Now().After(deadline) {
			t.Fatalf("pgtest: PgBouncer lets nobody in: %v\n%s", err, log.String())
		}
		<-time.After(20 * time.Millisecond)
	}
}

// freePort asks the system for a port.
func freePort(t testing.TB) int {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// output keeps what a program says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns all of it.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
