package localpg

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// ErrNotInstalled is the error of Start where no Postgres is installed.
var ErrNotInstalled = errors.New("no postgres and initdb found in PATH, " +
	strings.Join(installDirs, " or ") + "; install them: " + installCommand())

// installDirs are where packages put the binaries of a server: Debian and
// Ubuntu outside of PATH, and Homebrew where a formula is versioned.
var installDirs = []string{
	"/usr/lib/postgresql/*/bin",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
}

// binaries are the programs that a private server needs.
type binaries struct{ initdb, postgres string }

// findBinaries looks in the directories of path, in their order, then in those
// that match the patterns, the newest version first.
func findBinaries(path string, patterns []string) (binaries, error) {
	dirs := filepath.SplitList(path)
	for _, pattern := range patterns {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return binaries{}, err
		}
		slices.SortFunc(matches, func(a, b string) int { return version(b) - version(a) })
		dirs = append(dirs, matches...)
	}
	for _, dir := range dirs {
		b := binaries{initdb: filepath.Join(dir, "initdb"), postgres: filepath.Join(dir, "postgres")}
		if executable(b.initdb) && executable(b.postgres) {
			return b, nil
		}
	}
	return binaries{}, ErrNotInstalled
}

// version reads the major version out of …/15/bin or …/postgresql@15/bin; it
// is 0 where the directory names none.
func version(bin string) int {
	name := filepath.Base(filepath.Dir(bin))
	if _, after, found := strings.Cut(name, "@"); found {
		name = after
	}
	major, _, _ := strings.Cut(name, ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		return 0
	}
	return n
}

func executable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func installCommand() string {
	if runtime.GOOS == "darwin" {
		return "brew install postgresql"
	}
	if _, err := exec.LookPath("apt-get"); err == nil {
		return "apt-get install postgresql"
	}
	return "install the package postgresql-server of your distribution (apt-get install postgresql on Debian, brew install postgresql on macOS)"
}
