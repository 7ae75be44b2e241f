//go:build linux

package powercut

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Disk is a file system that can lose power. Its methods may be called from
// several goroutines.
type Disk struct {
	dir    string
	server *fuse.Server

	mu       sync.Mutex
	root     *folder
	off      bool // the power is gone
	full     bool
	badSyncs bool
	syncs    int
}

// Mount makes an empty disk and mounts it at dir, which must be an empty
// directory. It needs /dev/fuse, and the right to mount or the program
// fusermount3.
func Mount(dir string) (*Disk, error) {
	d := &Disk{dir: dir, root: newFolder(0o755)}
	if err := d.mount(); err != nil {
		return nil, fmt.Errorf("mount a disk that can lose power (it takes /dev/fuse, and root or the package fuse3): %w", err)
	}
	return d, nil
}

func (d *Disk) mount() error {
	forever := time.Hour // nobody changes the files but through the mount
	server, err := fs.Mount(d.dir, &dirNode{disk: d, folder: d.root}, &fs.Options{
		EntryTimeout: &forever,
		AttrTimeout:  &forever,
		MountOptions: fuse.MountOptions{Name: "powercut", FsName: "powercut", DirectMount: true},
	})
	if err != nil {
		return err
	}
	d.server = server
	return nil
}

// Cut takes the power away: every operation fails from now on. What survives is
// drawn from random. Programs that have files open must be dead before Restore.
func (d *Disk) Cut(random *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	d.root.lose(random, random.IntN(2) == 0)
}

// Restore gives the power back: the disk is mounted again with what survived.
func (d *Disk) Restore() error {
	if err := d.Unmount(); err != nil {
		return err
	}
	d.mu.Lock()
	d.off = false
	d.mu.Unlock()
	if err := d.mount(); err != nil {
		return fmt.Errorf("mount what survived: %w", err)
	}
	return nil
}

// Unmount takes the disk away. Its content is gone with it, but for Restore.
func (d *Disk) Unmount() error {
	// A process that was killed may hold its files for a moment longer.
	var err error
	for range 50 {
		if err = d.server.Unmount(); err == nil {
			d.server.Wait()
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.Join(errors.New("unmount the disk"), err)
}

// SetFull makes the disk full, or gives it room again.
func (d *Disk) SetFull(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

// FailSyncs makes each sync fail, or lets them succeed again. What was to be
// synced stays as it is: live, not stable.
func (d *Disk) FailSyncs(fail bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.badSyncs = fail
}

// Syncs returns how many syncs have succeeded.
func (d *Disk) Syncs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncs
}
