// Package npm installs packages of npm for tests, in exactly the versions of a
// lock file, once for each machine: into a cache directory, which is made whole
// beside its place and moved there, so that an installation that broke off leaves
// nothing and processes that install the same at once do not meet. The network is
// needed the first time.
package npm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// timeout bounds npm ci on a slow network.
const timeout = 5 * time.Minute

// Options says what is installed.
type Options struct {
	// Name is what the installation is called in the cache. Required.
	Name string
	// Files are package.json, package-lock.json and whatever belongs beside them.
	// Other files make another installation. Required.
	Files fs.FS
	// Cache is the directory of all installations. Defaults to verobridge in the
	// user's cache directory.
	Cache string
	// Finish completes an installation in dir. No package's own scripts are run.
	// Defaults to nothing.
	Finish func(dir string) error
}

// Install returns the directory with the files and node_modules.
func Install(o Options) (dir string, err error) {
	if o.Cache == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache directory: %w", err)
		}
		o.Cache = filepath.Join(cache, "verobridge")
	}
	version, err := versionOf(o.Files)
	if err != nil {
		return "", err
	}
	dir = filepath.Join(o.Cache, o.Name+"-"+version)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(o.Cache, 0o755); err != nil {
		return "", fmt.Errorf("make the cache directory: %w", err)
	}
	building, err := os.MkdirTemp(o.Cache, "installing-")
	if err != nil {
		return "", fmt.Errorf("make the cache directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(building) }()
	// Another user may run what is installed.
	if err := os.Chmod(building, 0o755); err != nil {
		return "", fmt.Errorf("make the cache directory: %w", err)
	}
	if err := ci(building, o.Files); err != nil {
		return "", err
	}
	if o.Finish != nil {
		if err := o.Finish(building); err != nil {
			return "", fmt.Errorf("install %s: %w", o.Name, err)
		}
	}
	if err := os.Rename(building, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return "", fmt.Errorf("install %s: %w", o.Name, err)
		}
	}
	return dir, nil
}

func ci(dir string, files fs.FS) error {
	if err := os.CopyFS(dir, files); err != nil {
		return fmt.Errorf("copy package.json: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
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
		return "", fmt.Errorf("read package.json: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)[:8]), nil
}
