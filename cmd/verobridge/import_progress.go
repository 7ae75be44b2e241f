package main

import (
	"fmt"
	"io"
	"time"

	"github.com/verobridge/verobridge/internal/archive"
	"github.com/verobridge/verobridge/warehouse"
)

// progressEvery is how often a line says how far an import is.
const progressEvery = 3 * time.Second

// importProgress writes how far an import is.
type importProgress struct {
	out          io.Writer
	shown        time.Time
	origin       string
	waiting      string    // why nothing moved, as it was said last
	since        time.Time // of the rate: when so many were read
	before       int64
	begun        time.Time
	bytes, total int64 // of the files that are done, and of all
	reader       *archive.Reader
}

func newImportProgress(out io.Writer) *importProgress {
	now := time.Now()
	return &importProgress{out: out, shown: now, begun: now}
}

// files says what will be read.
func (p *importProgress) files(files []archive.File) {
	for _, f := range files {
		p.total += f.Size
	}
}

// reading says which file is read now.
func (p *importProgress) reading(r *archive.Reader) { p.reader = r }

// done says that a file was read.
func (p *importProgress) done(f archive.File) {
	p.bytes += f.Size
	p.reader = nil
}

// show writes a line, unless the last one is not old enough.
func (p *importProgress) show(at warehouse.ImportProgress) {
	now := time.Now()
	if at.Origin != p.origin { // what it has by now may be from an earlier run
		p.origin, p.since, p.before = at.Origin, now, at.Read
	}
	if at.Waiting != nil {
		// Why it waits is said once, until something moves.
		if said := at.Waiting.Error(); said != p.waiting {
			p.waiting, p.shown = said, now
			fmt.Fprintf(p.out, "%s: waiting: %s\n", at.Origin, said)
		}
		return
	}
	p.waiting = ""
	if now.Sub(p.shown) < progressEvery || now.Sub(p.since) <= 0 {
		return
	}
	p.shown = now
	rate := float64(at.Read-p.before) / now.Sub(p.since).Seconds()
	p.since, p.before = now, at.Read
	done, left := p.share(at, rate, now)
	fmt.Fprintf(p.out, "%s: %d read, %.0f a second, %.0f %% done, %s left\n", at.Origin, at.Read, rate, 100*done, left.Round(time.Second))
}

// share returns how much is done, of a table or of all files, and how long the
// rest will take.
func (p *importProgress) share(at warehouse.ImportProgress, rate float64, now time.Time) (done float64, left time.Duration) {
	switch {
	case at.Total > 0 && rate > 0:
		rest := float64(max(0, at.Total-at.Read)) / rate
		return float64(at.Read) / float64(at.Total), time.Duration(rest * float64(time.Second))
	case p.total > 0 && p.reader != nil:
		done = min(1, float64(p.bytes+p.reader.Offset())/float64(p.total))
		if done > 0 {
			left = time.Duration(float64(now.Sub(p.begun)) * (1 - done) / done)
		}
	}
	return done, left
}
