package doctor

import (
	"context"
	"fmt"
	"time"
)

// Level says how bad a finding is.
type Level string

// The levels of findings.
const (
	// OK needs nothing.
	OK Level = "ok"
	// Warning is what works, but can lose something or be slow.
	Warning Level = "warning"
	// Error keeps the bridge from its work, or a part of it.
	Error Level = "error"
)

// Finding is something that was looked at. Its texts hold no secrets.
type Finding struct {
	Level Level `json:"level"`
	// Area is what was looked at, in a word, such as data_dir.
	Area string `json:"area"`
	// What is a sentence on how it is.
	What string `json:"what"`
	// Cure is what to do about it. It is empty where all is well.
	Cure string `json:"cure,omitempty"`
}

// Findings collects what is found in one area.
type Findings struct {
	area string
	list []Finding
}

// In returns an empty collection for an area.
func In(area string) *Findings { return &Findings{area: area} }

// OK adds that something is well.
func (f *Findings) OK(format string, args ...any) {
	f.Add(OK, "", format, args...)
}

// Add adds a finding with its cure.
func (f *Findings) Add(level Level, cure, format string, args ...any) {
	f.list = append(f.list, Finding{Level: level, Area: f.area, What: fmt.Sprintf(format, args...), Cure: cure})
}

// All returns what was found, in order.
func (f *Findings) All() []Finding { return f.list }

// Check looks at one area.
type Check struct {
	// Area is the area in whose name it is said that the check did not end.
	Area string
	// Look returns what is found. It should end soon after ctx does.
	Look func(ctx context.Context) []Finding
}

// lastWords is how long after the deadline a check may still say what kept it.
const lastWords = 500 * time.Millisecond

// Run runs checks beside one another, at most for the time given, and returns
// their findings in the order of the checks.
func Run(ctx context.Context, limit time.Duration, checks ...Check) []Finding {
	last, release := context.WithTimeout(ctx, limit+lastWords)
	defer release()
	ctx, cancel := context.WithTimeout(last, limit)
	defer cancel()
	answers := make([]chan []Finding, len(checks))
	for i, c := range checks {
		answers[i] = make(chan []Finding, 1)
		go func() { answers[i] <- c.Look(ctx) }()
	}
	var all []Finding
	for i, c := range checks {
		select {
		case found := <-answers[i]:
			all = append(all, found...)
		case <-last.Done():
			late := In(c.Area)
			late.Add(Error, "look whether the disk, or the server that it depends on, hangs", "gave no answer within %s", limit)
			all = append(all, late.All()...)
		}
	}
	return all
}
