package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// leastFree is the free space below which a bridge is about to refuse calls.
	leastFree = 1 << 30
	// A sync that takes longer than slowSync once in a hundred times is felt: no
	// call is answered before its sync. One that is faster than anySync did not
	// reach a disk.
	slowSync = 50 * time.Millisecond
	anySync  = 5 * time.Microsecond
	// The disk is measured with so many appends of one small call, or as many as
	// there is time for.
	appends, appendBytes = 200, 4 << 10
	appendTime           = 2 * time.Second
)

// Folder looks at a folder in which what was accepted must survive: whether it can
// be written to, by whom it can be read, what kind of file system it is on, how
// much space is left, and how long it takes until an append is on disk. A folder
// that is not there yet is judged by the one in which it will be made. setting is
// what to name in cures.
func Folder(ctx context.Context, setting, path string) []Finding {
	f := In(setting)
	there, info, err := nearest(path)
	if err != nil {
		f.Add(Error, "let "+setting+" lead to a folder of the user that runs the bridge", "%s cannot be looked at: %v", path, err)
		return f.All()
	}
	if !info.IsDir() {
		f.Add(Error, "let "+setting+" lead to a folder", "%s is a file", there)
		return f.All()
	}
	if there == path {
		access(f, path, info)
	}
	if err := unix.Access(there, unix.W_OK|unix.X_OK); err != nil {
		f.Add(Error, fmt.Sprintf("chown it to the user that runs the bridge, or run check as that user: chown -R %d %s", os.Geteuid(), there), "%s cannot be written to: %v", there, err)
		return f.All()
	}
	space(f, there)
	fileSystem(f, setting, there)
	syncs(ctx, f, there)
	return f.All()
}

// nearest returns the folder, or the nearest one above it that exists.
func nearest(path string) (string, os.FileInfo, error) {
	path, err := filepath.Abs(path)
	for err == nil {
		info, missing := os.Stat(path)
		if missing == nil {
			return path, info, nil
		}
		if !errors.Is(missing, fs.ErrNotExist) || filepath.Dir(path) == path {
			return path, nil, missing
		}
		path = filepath.Dir(path)
	}
	return path, nil, err
}

// access looks who may read what waits: it is about people.
func access(f *Findings, path string, info os.FileInfo) {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		f.Add(Warning, "chmod 700 "+path, "%s has the permissions %04o: others on this machine can read what waits there", path, mode)
	}
	if uid, known := owner(info); known && uid != os.Geteuid() {
		f.Add(Warning, "run check as the user that runs the bridge, or chown the folder to it", "%s belongs to the user with number %d, and check runs as %d", path, uid, os.Geteuid())
	}
}

func space(f *Findings, path string) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		f.Add(Warning, "measure it with df", "the free space of %s is not known: %v", path, err)
		return
	}
	free := int64(stat.Bavail) * int64(stat.Bsize) //nolint:unconvert // the types differ between systems
	if free < leastFree {
		f.Add(Warning, "make room, or give it a volume of its own", "%s has %s left: when it is full, calls are answered with 503", path, bytesText(free))
		return
	}
	f.OK("%s has %s left, half of which may be filled by events that wait", path, bytesText(free))
}

func fileSystem(f *Findings, setting, path string) {
	kind, risk, err := fileSystemOf(path)
	switch {
	case err != nil:
		f.Add(Warning, "find out with df -T "+path, "the file system of %s is not known: %v", path, err)
	case risk != "":
		f.Add(Warning, "let "+setting+" lead to a local disk, or to a volume that keeps what is synced", "%s is on %s: %s", path, kind, risk)
	}
}

// syncs measures the disk as the spool uses it: small appends, each of them synced.
func syncs(ctx context.Context, f *Findings, path string) {
	taken, err := measureSyncs(ctx, path)
	if err != nil || len(taken) == 0 {
		f.Add(Error, "look whether the disk is full, read-only or damaged", "an append in %s could not be synced: %v", path, err)
		return
	}
	slices.Sort(taken)
	p50, p99 := taken[len(taken)/2], taken[len(taken)*99/100]
	rate := fmt.Sprintf("a sync takes %s, and at most %s in 99 of 100 cases", shortly(p50), shortly(p99))
	switch {
	case p99 > slowSync:
		f.Add(Warning, "use a local SSD, or a volume with more guaranteed operations a second",
			"%s: no call is answered before its sync, and there are about %d a second", rate, perSecond(p50))
	case p50 < anySync:
		f.Add(Warning, "find out whether the disk, or the hypervisor below it, ignores fsync", "%s: that is faster than any disk, so what is synced may be lost with the power", rate)
	default:
		f.OK("%s: about %d calls a second one after the other; those that come together share a sync", rate, perSecond(p50))
	}
}

func measureSyncs(ctx context.Context, path string) (taken []time.Duration, err error) {
	file, err := os.CreateTemp(path, "check-*.tmp")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	data := make([]byte, appendBytes)
	began := time.Now()
	for len(taken) < appends && ctx.Err() == nil && time.Since(began) < appendTime {
		if _, err := file.Write(data); err != nil {
			return nil, err
		}
		started := time.Now()
		if err := file.Sync(); err != nil {
			return nil, err
		}
		taken = append(taken, time.Since(started))
	}
	if len(taken) == 0 {
		return nil, ctx.Err()
	}
	return taken, nil
}

func perSecond(d time.Duration) int { return int(time.Second / max(d, time.Microsecond)) }

// shortly writes a duration with three digits.
func shortly(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	default:
		return d.Round(time.Microsecond).String()
	}
}

func bytesText(n int64) string {
	const unit = 1 << 10
	size, name := float64(n)/(1<<20), "MiB"
	if size >= unit {
		size, name = size/unit, "GiB"
	}
	return fmt.Sprintf("%.1f %s", size, name)
}
