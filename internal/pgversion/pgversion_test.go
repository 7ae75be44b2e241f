package pgversion

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestNewestRuns(t *testing.T) {
	t.Parallel()
	here, err := Here()
	if err != nil {
		t.Fatal(err)
	}
	newest := here[len(here)-1]
	dir, err := BinDir(newest)
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"postgres", "initdb"} {
		said, err := exec.CommandContext(t.Context(), filepath.Join(dir, program), "--version").CombinedOutput()
		if err != nil || !strings.Contains(string(said), " "+newest+".") {
			t.Errorf("%s --version says %q, %v; want version %s", program, said, err, newest)
		}
	}
}

func TestBinDirNamesTheVersionsThereAre(t *testing.T) {
	t.Parallel()
	if _, err := BinDir("9.6"); err == nil || !strings.Contains(err.Error(), "18") {
		t.Errorf("Postgres 9.6: %v, want an error that lists the versions", err)
	}
}
