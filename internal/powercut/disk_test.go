//go:build linux

package powercut_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/verobridge/verobridge/internal/powercut"
)

func mount(t *testing.T) (*powercut.Disk, string) {
	t.Helper()
	dir := t.TempDir()
	d, err := powercut.Mount(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return d, dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill writes a file, synced or not, and closes it.
func fill(t *testing.T, path string, data []byte, synced bool) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	must(t, err)
	_, err = f.Write(data)
	must(t, err)
	if synced {
		must(t, f.Sync())
	}
	must(t, f.Close())
}

// What was synced is there after any cut; what was not is there in some and not
// in others.
func TestACutLeavesWhatWasSynced(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	page := bytes.Repeat([]byte("x"), 4096)
	kept, lost := 0, 0
	for range 30 {
		d, dir := mount(t)
		must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
		path := filepath.Join(dir, "sub", "synced")
		fill(t, path, []byte("first "), true)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_SYNC, 0)
		must(t, err)
		_, err = f.WriteString("second")
		must(t, err)
		must(t, f.Close())
		fill(t, filepath.Join(dir, "sub", "unsynced"), page, false)

		d.Cut(random)
		if _, err := os.ReadFile(path); !errors.Is(err, syscall.EIO) {
			t.Fatalf("reading without power: %v, want EIO", err)
		}
		must(t, d.Restore())
		got, err := os.ReadFile(path)
		must(t, err)
		if string(got) != "first second" {
			t.Fatalf("after the cut the synced file holds %q", got)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "sub", "unsynced")); err == nil && bytes.Equal(got, page) {
			kept++
		} else {
			lost++
		}
	}
	if kept == 0 || lost == 0 {
		t.Errorf("what was not synced survived %d cuts and was lost in %d; both should happen", kept, lost)
	}
}

// Of an append without a sync any page may survive, and what is missing below
// one that did reads as zeros.
func TestACutTearsAppends(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	holes := 0
	for range 30 {
		d, dir := mount(t)
		path := filepath.Join(dir, "log")
		fill(t, path, []byte("begin"), true)
		fill(t, path, bytes.Repeat([]byte("y"), 5*4096), false)
		d.Cut(random)
		must(t, d.Restore())
		got, err := os.ReadFile(path)
		must(t, err)
		if !bytes.HasPrefix(got, []byte("begin")) {
			t.Fatalf("the synced beginning is gone: %q", got[:min(len(got), 20)])
		}
		if bytes.IndexByte(got, 0) >= 0 {
			holes++
		}
	}
	if holes == 0 {
		t.Error("no cut left a hole")
	}
}

// A name that was synced by a sync of something else survives; a rename that
// was not survives or does not, never by half.
func TestNamesAreAJournal(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	outcomes := make(map[string]int)
	for range 30 {
		d, dir := mount(t)
		fill(t, filepath.Join(dir, "old"), []byte("content"), true)
		must(t, os.Rename(filepath.Join(dir, "old"), filepath.Join(dir, "new")))
		d.Cut(random)
		must(t, d.Restore())
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		must(t, err)
		if len(names) != 1 {
			t.Fatalf("after the cut there are %q, want one name", names)
		}
		got, err := os.ReadFile(names[0])
		must(t, err)
		if string(got) != "content" {
			t.Fatalf("%s holds %q", names[0], got)
		}
		outcomes[filepath.Base(names[0])]++
	}
	if len(outcomes) != 2 {
		t.Errorf("the rename had outcomes %v, want both", outcomes)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	d, dir := mount(t)
	f, err := os.Create(filepath.Join(dir, "file"))
	must(t, err)
	d.SetFull(true)
	if _, err := f.WriteString("more"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("writing to a full disk: %v, want ENOSPC", err)
	}
	d.SetFull(false)
	_, err = f.WriteString("more")
	must(t, err)
	d.FailSyncs(true)
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("a sync that fails: %v, want EIO", err)
	}
	d.FailSyncs(false)
	before := d.Syncs()
	must(t, f.Sync())
	if d.Syncs() != before+1 {
		t.Errorf("%d syncs counted, want %d", d.Syncs(), before+1)
	}
	must(t, f.Close())
}
