package spool

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// rot is what a bad disk does to a file.
var rot = map[string]func(random *rand.Rand, raw []byte) []byte{
	"a flipped bit": func(random *rand.Rand, raw []byte) []byte {
		at := random.IntN(len(raw))
		// In a file of records, in what a record says: see docs/reliability.md for
		// what its sequence number does to the server.
		for _, content := range []string{"waiting-5", `"next"`} {
			if i := bytes.LastIndex(raw, []byte(content)); i >= 0 {
				at = i
			}
		}
		raw[at] ^= 1 << random.IntN(7)
		return raw
	},
	"zeros": func(random *rand.Rand, raw []byte) []byte {
		at := random.IntN(len(raw))
		clear(raw[at:min(at+512, len(raw))])
		return raw
	},
	"a torn end": func(random *rand.Rand, raw []byte) []byte { return raw[:random.IntN(len(raw))] },
}

// Whatever file of the spool is damaged, and how: the program starts without
// anybody removing anything, and an event that is accepted afterwards is
// delivered.
func TestADamagedFileStopsNothing(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i, file := range spoolFiles(t, spoolWith(t)) {
		for j, name := range slices.Sorted(maps.Keys(rot)) {
			random := rand.New(rand.NewPCG(seed, uint64(len(rot)*i+j)))
			t.Run(name+" in "+filepath.Base(filepath.Dir(filepath.Dir(file)))+" "+filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				dir := spoolWith(t)
				harm(t, dir, file, func(raw []byte) []byte { return rot[name](random, raw) })
				deliverRest(t, dir)
			})
		}
	}
}

// One record suffers from a bit that flips in it.
func TestADamagedRecordCostsNoOther(t *testing.T) {
	t.Parallel()
	dir := spoolWith(t)
	harm(t, dir, eventsFile(t, dir), func(raw []byte) []byte {
		at := bytes.Index(raw, []byte("waiting-5"))
		if at < 0 {
			t.Fatal("the record is not in the file as it was sent")
		}
		raw[at] ^= 1
		return raw
	})
	delivered := deliverRest(t, dir)
	for i := range waiting {
		id := fmt.Sprintf("waiting-%d-%03d", i, i)
		if got := slices.Contains(delivered, id); got != (i != 5) {
			t.Errorf("%s delivered: %t", id, got)
		}
	}
}

// When the end of the events is lost, sequence numbers begin again below those
// that a destination is done with. What they stand for now is new to it.
func TestNewEventsAfterALostEndAreDelivered(t *testing.T) {
	t.Parallel()
	dir := spoolWith(t)
	harm(t, dir, eventsFile(t, dir), func(raw []byte) []byte {
		clear(raw[len(raw)/10 : len(raw)/5])
		return raw
	})
	deliverRest(t, dir)
}

// spoolWith makes a spool of which a destination has delivered some events, one
// is in the retry lane, and some are still to be read.
func spoolWith(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, dir, "vero")
	d := newDestination("vero", func(e event.Event) delivery.Outcome {
		if e.ID == "late-000" {
			return delivery.Retry(delivery.ReasonServerError, context.DeadlineExceeded, 0)
		}
		return delivery.Delivered()
	})
	stop := drainTo(t, s, d, DrainOptions{})
	appendAll(t, s, call("late", 0))
	for i := range done {
		appendAll(t, s, call(fmt.Sprintf("done-%d", i), i))
	}
	d.await(t, done)
	stop()
	for i := range waiting {
		appendAll(t, s, call(fmt.Sprintf("waiting-%d", i), i))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// How many events of spoolWith are delivered, and how many are to be read.
const done, waiting = 20, 10

// eventsFile returns the file that holds the events.
func eventsFile(t *testing.T, dir string) string {
	t.Helper()
	files := spoolFiles(t, dir)
	i := slices.IndexFunc(files, func(f string) bool { return strings.Contains(f, eventsStream) && strings.HasSuffix(f, ".blk") })
	return files[i]
}

// spoolFiles returns the files that are not empty, below dir.
func spoolFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil || info.Size() == 0 {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files = append(files, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func harm(t *testing.T, dir, file string, damage func([]byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, file)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, damage(raw), 0o600); err != nil {
		t.Fatal(err)
	}
}

// deliverRest opens a spool, adds an event, and waits until it is delivered. It
// returns what else was.
func deliverRest(t *testing.T, dir string) []string {
	t.Helper()
	s := open(t, dir, "vero")
	d := newDestination("vero", deliverAll)
	drainTo(t, s, d, DrainOptions{})
	appendAll(t, s, call("after", 0))
	d.awaitID(t, "after-000")
	return d.ids()
}
