package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what was measured, and on what.
type Report struct {
	At     time.Time `json:"at"`
	System string    `json:"system"` // such as linux/amd64
	CPUs   int       `json:"cpus"`
	Rows   []Row     `json:"rows"`
}

// Row is one measurement. What was not measured is 0.
type Row struct {
	Section string `json:"section"`
	What    string `json:"what"`
	// Value is the figure, in the unit.
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// The waits of requests, or of what What says, in milliseconds.
	P50 float64 `json:"p50_ms,omitempty"`
	P95 float64 `json:"p95_ms,omitempty"`
	P99 float64 `json:"p99_ms,omitempty"`
	// CPU is the bridge's processor time for 1,000 events, in seconds.
	CPU float64 `json:"cpu_s_per_1000,omitempty"`
	// Memory is the most memory that the bridge had, in bytes.
	Memory float64 `json:"memory,omitempty"`
	// EventsPerSync is how many events were synced to disk at once.
	EventsPerSync float64 `json:"events_per_sync,omitempty"`
	// Failed counts events that were not taken.
	Failed int `json:"failed,omitempty"`
	// Limits are what the machine does without a bridge, measured in turns with it.
	Limits []Limit `json:"limits,omitempty"`
	// Note is what else there is to say.
	Note string `json:"note,omitempty"`
}

// Limit is what the machine does at best.
type Limit struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
	// Ratio is how much of it the bridge reaches.
	Ratio float64 `json:"ratio"`
}

// wait puts percentiles into a row.
func (row *Row) wait(p percentiles) {
	row.P50, row.P95, row.P99 = milliseconds(p.P50), milliseconds(p.P95), milliseconds(p.P99)
}

// limit puts a limit beside the figure.
func (row *Row) limit(what string, value float64) {
	row.Limits = append(row.Limits, Limit{What: what, Value: value, Ratio: row.Value / value})
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// WriteJSON writes the report for programs.
func (r Report) WriteJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(r)
}

// Write writes the report as a table for people.
func (r Report) Write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tfigure\tp50\tp95\tp99\tCPU s/1,000\tmemory\tevents/sync\tof what is possible")
	section := ""
	for _, row := range r.Rows {
		if row.Section != section {
			section = row.Section
			fmt.Fprintf(table, "%s\t\t\t\t\t\t\t\t\n", strings.ToUpper(section))
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.What, row.figure(),
			orBlank(row.P50, "%.2f ms"), orBlank(row.P95, "%.1f ms"), orBlank(row.P99, "%.1f ms"),
			orBlank(row.CPU, "%.3f"), orBlank(row.Memory/(1<<20), "%.0f MB"), orBlank(row.EventsPerSync, "%.0f"), row.remarks())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s, %s with %d processors, which the load generator, Postgres and the mock of Vero share\n",
		r.At.Format(time.DateTime+" UTC"), r.System, r.CPUs)
	return err
}

func orBlank(v float64, format string) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}

// figure is the value with its unit.
func (row Row) figure() string {
	switch {
	case row.Unit == "":
		return ""
	case row.Value >= 1000:
		return grouped(int(row.Value+0.5)) + " " + row.Unit
	default:
		return fmt.Sprintf("%.3g %s", row.Value, row.Unit)
	}
}

// grouped writes a number with commas between thousands.
func grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}

func (row Row) remarks() string {
	var remarks []string
	for _, l := range row.Limits {
		remarks = append(remarks, fmt.Sprintf("%.0f %% of %s (%s)", 100*l.Ratio, l.What, grouped(int(l.Value))))
	}
	if row.Failed > 0 {
		remarks = append(remarks, fmt.Sprintf("%d not taken", row.Failed))
	}
	if row.Note != "" {
		remarks = append(remarks, row.Note)
	}
	return strings.Join(remarks, ", ")
}
