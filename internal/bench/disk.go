package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// diskLimit appends the bytes that a load has in flight to a file and syncs it,
// again and again, and returns how many events a second that makes: a bridge that
// joins all that is in flight, compresses nothing and does nothing else.
func diskLimit(dir string, l load, body []byte, d time.Duration) (perSecond float64, err error) {
	path := filepath.Join(dir, "limit")
	file, err := os.Create(path)
	if err != nil {
		return 0, fmt.Errorf("measure the disk: %w", err)
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(path)
	}()
	var group []byte
	for range l.Connections {
		group = append(group, body...)
	}
	started, groups := time.Now(), 0
	for time.Since(started) < d {
		if _, err := file.Write(group); err != nil {
			return 0, fmt.Errorf("measure the disk: %w", err)
		}
		if err := file.Sync(); err != nil {
			return 0, fmt.Errorf("measure the disk: %w", err)
		}
		groups++
	}
	return float64(groups*l.Connections*max(1, l.Batch)) / time.Since(started).Seconds(), nil
}
