package torture

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/verobridge/verobridge/internal/powercut"
)

// onDisk is harm through the disk that the spool lies on.
type onDisk struct {
	disk *powercut.Disk
	do   func(ctx context.Context, w *world, disk *powercut.Disk) error
}

func (h onDisk) cycle(ctx context.Context, w *world) error { return h.do(ctx, w, h.disk) }
func (h onDisk) close() error                              { return h.disk.Unmount() }

func preparePower(_ context.Context, _, dir string) (harm, site, error) {
	return mountDisk(dir, losePower)
}

func prepareBadDisk(_ context.Context, _, dir string) (harm, site, error) {
	return mountDisk(dir, breakDisk)
}

func mountDisk(dir string, do func(context.Context, *world, *powercut.Disk) error) (harm, site, error) {
	mount := filepath.Join(dir, "disk")
	if err := os.MkdirAll(mount, 0o700); err != nil {
		return nil, site{}, err
	}
	disk, err := powercut.Mount(mount)
	if err != nil {
		return nil, site{}, err
	}
	return onDisk{disk, do}, site{dataDir: filepath.Join(mount, "data")}, nil
}

// losePower takes the power from the bridge and its disk, and gives it back.
// What was acknowledged had to be synced before.
func losePower(ctx context.Context, w *world, disk *powercut.Disk) error {
	disk.Cut(w.random)
	w.process.Kill()
	if err := disk.Restore(); err != nil {
		return err
	}
	return w.process.Start(ctx)
}

// breakDisk makes the disk full, or its syncs fail, for a moment. Then the bridge
// has to get on by itself.
func breakDisk(ctx context.Context, w *world, disk *powercut.Disk) error {
	if w.random.IntN(2) == 0 {
		disk.SetFull(true)
	} else {
		disk.FailSyncs(true)
	}
	pause(ctx, w.moment(time.Second))
	disk.SetFull(false)
	disk.FailSyncs(false)
	return nil
}
