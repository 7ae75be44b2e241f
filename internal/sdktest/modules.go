package sdktest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

//go:embed testdata
var files embed.FS

// installTimeout bounds npm ci on a slow network.
const installTimeout = 5 * time.Minute

// install is done once in a process.
var install = sync.OnceValues(installModules)

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

// installModules installs the SDKs, unless the same ones are there already.
func installModules() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache directory: %w", err)
	}
	parent := filepath.Join(cache, "verobridge")
	version, err := versionOf(files)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, "sdktest-"+version)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("make the cache directory: %w", err)
	}
	// Beside its place and then moved there, whole: another process may be
	// doing the same.
	building, err := os.MkdirTemp(parent, "installing-")
	if err != nil {
		return "", fmt.Errorf("make the cache directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(building) }()
	if err := npmCI(building); err != nil {
		return "", err
	}
	if err := os.Rename(building, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return "", fmt.Errorf("keep the SDKs: %w", err)
		}
	}
	return dir, nil
}

func npmCI(dir string) error {
	content, err := fs.Sub(files, "testdata")
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, content); err != nil {
		return fmt.Errorf("copy testdata: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = dir
	output, err := npm.CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return errors.New("npm is missing; install it: apt-get install -y nodejs npm")
	case err != nil:
		return fmt.Errorf("npm ci: %w\n%s", err, output)
	}
	return nil
}

// versionOf names the content of files.
func versionOf(files fs.FS) (string, error) {
	hash := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(hash, "%s %d\n", path, len(content))
		hash.Write(content)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read testdata: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)[:8]), nil
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
