package localpg

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func install(t *testing.T, dir string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"initdb", "postgres"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindBinaries(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	old := install(t, filepath.Join(root, "lib", "9.6", "bin"), 0o755)
	install(t, filepath.Join(root, "lib", "14", "bin"), 0o755)
	newest := install(t, filepath.Join(root, "lib", "15", "bin"), 0o755)
	install(t, filepath.Join(root, "lib", "16", "bin"), 0o644) // not executable
	brewed := install(t, filepath.Join(root, "opt", "postgresql@17", "bin"), 0o755)
	install(t, filepath.Join(root, "opt", "postgresql@9", "bin"), 0o755)
	clientOnly := filepath.Join(root, "client")
	if err := os.MkdirAll(clientOnly, 0o755); err != nil {
		t.Fatal(err)
	}
	lib, opt := filepath.Join(root, "lib", "*", "bin"), filepath.Join(root, "opt", "postgresql*", "bin")

	for _, c := range []struct {
		name, path string
		patterns   []string
		want       string
	}{
		{"PATH comes first", old, []string{lib}, old},
		{"a directory of PATH without a server is passed over", clientOnly + ":" + old, nil, old},
		{"the newest of a package directory", clientOnly, []string{lib}, newest},
		{"the newest formula", "", []string{opt}, brewed},
		{"the first pattern with a server", "", []string{filepath.Join(root, "none", "*"), opt, lib}, brewed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := findBinaries(c.path, c.patterns)
			if err != nil {
				t.Fatal(err)
			}
			if want := (binaries{filepath.Join(c.want, "initdb"), filepath.Join(c.want, "postgres")}); got != want {
				t.Errorf("findBinaries = %v, want %v", got, want)
			}
		})
	}

	if _, err := findBinaries(clientOnly, []string{filepath.Join(root, "none", "*")}); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("findBinaries without a server: %v, want ErrNotInstalled", err)
	}
}
