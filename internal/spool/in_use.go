package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// InUse says whether a process has an embedded spool open in a directory. It
// neither makes nor changes anything there; whoever is about to open it waits
// longer than this takes.
func InUse(dir string) (bool, error) {
	path := filepath.Join(dir, lockFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	lock := flock.New(path)
	free, err := lock.TryRLock()
	if err != nil {
		return false, fmt.Errorf("look at the lock of the spool: %w", err)
	}
	return !free, lock.Unlock()
}
