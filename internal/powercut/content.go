//go:build linux

package powercut

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// pageSize is what survives a cut or does not, as a whole.
const pageSize = 4096

// entry is a file or a folder.
type entry interface{ isEntry() }

// folder is a directory: its entries as programs see them, and as they were at
// the last sync.
type folder struct {
	mode         uint32
	live, stable map[string]entry
}

func newFolder(mode uint32) *folder {
	return &folder{mode: mode, live: make(map[string]entry), stable: make(map[string]entry)}
}

func (*folder) isEntry() {}

// commit makes the names in this folder and below stable.
func (f *folder) commit() {
	f.stable = maps.Clone(f.live)
	for _, e := range f.live {
		if below, ok := e.(*folder); ok {
			below.commit()
		}
	}
}

// lose leaves what survives a cut. With names, changes of names that were not
// synced do.
func (f *folder) lose(random *rand.Rand, names bool) {
	if names {
		f.stable = f.live
	}
	f.live = maps.Clone(f.stable)
	for _, name := range slices.Sorted(maps.Keys(f.live)) { // in order: the seed decides
		switch e := f.live[name].(type) {
		case *folder:
			e.lose(random, names)
		case *file:
			e.lose(random)
		}
	}
}

// file is a file's bytes, as programs see them and as they were synced.
type file struct {
	mode         uint32
	changed      time.Time
	live, stable []byte
	dirty        map[int]bool // pages that were written and not synced
}

func newFile(mode uint32) *file {
	return &file{mode: mode, changed: time.Now(), dirty: make(map[int]bool)}
}

func (*file) isEntry() {}

func (f *file) write(data []byte, at int) {
	if end := at + len(data); end > len(f.live) {
		f.resize(end)
	}
	copy(f.live[at:], data)
	f.touch(at, at+len(data))
}

func (f *file) resize(size int) {
	was := len(f.live)
	if size <= was {
		clear(f.live[size:]) // a later growth reads zeros
		f.live = f.live[:size]
	} else {
		f.live = slices.Grow(f.live, size-was)[:size]
	}
	f.touch(min(was, size), max(was, size))
}

func (f *file) touch(from, to int) {
	for page := from / pageSize; page*pageSize < to; page++ {
		f.dirty[page] = true
	}
	f.changed = time.Now()
}

// sync makes all bytes stable.
func (f *file) sync() {
	f.settle(func(int) bool { return true }, len(f.live))
}

// lose leaves what survives a cut.
func (f *file) lose(random *rand.Rand) {
	pages := slices.Sorted(maps.Keys(f.dirty))
	chance := random.Float64()
	kept := make(map[int]bool, len(pages))
	size := min(len(f.stable), len(f.live))
	for _, page := range pages {
		if random.Float64() < chance {
			kept[page] = true
			size = max(size, min((page+1)*pageSize, len(f.live)))
		}
	}
	if len(f.live) < len(f.stable) && random.IntN(2) == 0 {
		size = len(f.stable) // the cut came before the truncation
	}
	f.settle(func(page int) bool { return kept[page] }, size)
	f.live = slices.Clone(f.stable)
}

// settle copies the dirty pages that are kept, and gives the file its size.
func (f *file) settle(keep func(page int) bool, size int) {
	if size <= len(f.stable) {
		f.stable = f.stable[:size]
	} else {
		f.stable = append(f.stable, make([]byte, size-len(f.stable))...)
	}
	for page := range f.dirty {
		from, to := page*pageSize, min((page+1)*pageSize, len(f.live), size)
		if keep(page) && from < to {
			copy(f.stable[from:to], f.live[from:to])
		}
	}
	clear(f.dirty)
}
