package torture

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Report is what came of a run.
type Report struct {
	Seed    uint64
	Dir     string // with the logs, where something failed
	Results []Result
}

// Result is what came of a scenario.
type Result struct {
	Scenario         string
	Cycles           int // how often the fault was injected
	Accepted         int // events answered with 200
	Lost             int
	DuplicateRows    int
	DuplicateEffects int
	OutOfOrder       int
	Unaccounted      int           // events without a report where they were due, by the view of that name
	LongestStall     time.Duration // in which no client got an answer 200
	Took             time.Duration
	// Examples are sentences about some of what was lost.
	Examples []string
	// Siege is what clients noticed of one, nil in other scenarios.
	Siege *Siege
	// Leaks counts the places where a write key or a token was that should not have
	// been there.
	Leaks int
}

// OK says whether every promise was kept.
func (r Report) OK() bool {
	for _, result := range r.Results {
		if !result.OK() {
			return false
		}
	}
	return true
}

// OK says whether every promise was kept in the scenario.
func (r Result) OK() bool { return r.Kept() && (r.Siege == nil || r.Siege.OK()) }

// Kept says whether everything that was accepted was kept, once and in order, and
// every secret.
func (r Result) Kept() bool {
	return r.Lost == 0 && r.DuplicateRows == 0 && r.DuplicateEffects == 0 && r.OutOfOrder == 0 && r.Unaccounted == 0 && r.Leaks == 0
}

func (r *Result) found(f found, stall time.Duration) {
	r.Accepted, r.Lost = f.accepted, f.lost
	r.DuplicateRows, r.DuplicateEffects, r.OutOfOrder = f.duplicateRows, f.duplicateEffects, f.outOfOrder
	r.Unaccounted = f.unaccounted
	r.Examples, r.LongestStall = f.examples, stall
}

// add adds what came of a further world.
func (r *Result) add(part Result) {
	r.Cycles += part.Cycles
	r.Accepted += part.Accepted
	r.Lost += part.Lost
	r.DuplicateRows += part.DuplicateRows
	r.DuplicateEffects += part.DuplicateEffects
	r.OutOfOrder += part.OutOfOrder
	r.Unaccounted += part.Unaccounted
	r.Leaks += part.Leaks
	r.LongestStall = max(r.LongestStall, part.LongestStall)
	r.Examples = append(r.Examples, part.Examples...)
	r.addSiege(part.Siege)
}

func (r *Result) addSiege(part *Siege) {
	switch {
	case part == nil:
	case r.Siege == nil:
		r.Siege = part
	default:
		r.Siege.Quiet = append(r.Siege.Quiet, part.Quiet...)
		r.Siege.Under = append(r.Siege.Under, part.Under...)
		r.Siege.Memory = max(r.Siege.Memory, part.Memory)
		r.Siege.Attacks.Add(part.Attacks)
	}
}

// Write writes the report as a table.
func (r Report) Write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "scenario\tcycles\taccepted\tlost\tduplicate rows\tduplicate effects\tout of order\tunaccounted\tleaks\tlongest stall\ttook\t")
	for _, s := range r.Results {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t\n", s.Scenario, s.Cycles, s.Accepted, s.Lost,
			s.DuplicateRows, s.DuplicateEffects, s.OutOfOrder, s.Unaccounted, s.Leaks, s.LongestStall.Round(time.Millisecond), s.Took.Round(time.Second))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, s := range r.Results {
		for _, example := range s.Examples {
			fmt.Fprintf(w, "%s: %s\n", s.Scenario, example)
		}
		if s.Siege != nil {
			fmt.Fprintf(w, "%s: %s\n%v\n", s.Scenario, s.Siege, s.Siege.Attacks)
		}
	}
	_, err := fmt.Fprintf(w, "seed %d\n", r.Seed)
	return err
}
