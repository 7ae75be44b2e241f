package sdktest

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/verobridge/verobridge/internal/npm"
)

//go:embed testdata
var files embed.FS

// install is done once in a process.
var install = sync.OnceValues(func() (string, error) {
	content, err := fs.Sub(files, "testdata")
	if err != nil {
		return "", err
	}
	return npm.Install(npm.Options{Name: "sdktest", Files: content})
})

// BrowserBundle returns the folder with the browser SDK, the files of dist/umd
// of the npm package @segment/analytics-next.
func BrowserBundle(t testing.TB) string {
	t.Helper()
	return filepath.Join(modules(t), "node_modules", "analytics-next", "dist", "umd")
}

// modules returns the folder in which the files of testdata and the SDKs are.
func modules(t testing.TB) string {
	t.Helper()
	dir, err := install()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// node runs a script of testdata and returns what it prints.
func node(t testing.TB, script string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "node", append([]string{script}, args...)...)
	command.Dir = modules(t)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		t.Fatal("node is missing; install it: apt-get install -y nodejs npm")
	case err != nil:
		t.Fatalf("node %s %v: %v\n%s%s", script, args, err, output, stderr.Bytes())
	}
	return string(output)
}
