package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/bench"
)

// The real program is measured, and each figure has its limits beside it.
func TestBenchMeasures(t *testing.T) {
	report, err := bench.Run(t.Context(), bench.Options{
		Binary: build(t), Only: []string{"start", "ingest", "warehouse"}, Short: true, Duration: 800 * time.Millisecond, Progress: t.Output(),
	})
	var table bytes.Buffer
	if problem := report.Write(&table); problem != nil {
		t.Error(problem)
	}
	t.Log("\n" + table.String())
	if err != nil {
		t.Fatal(err)
	}
	limits := map[string]int{"start": 0, "ingest": 2, "warehouse": 1}
	rows := make(map[string]int)
	for _, row := range report.Rows {
		rows[row.Section]++
		if row.Value <= 0 || row.Failed > 0 {
			t.Errorf("%+v", row)
		}
		if row.CPU > 0 && len(row.Limits) != limits[row.Section] {
			t.Errorf("%s has %d limits, want %d", row.What, len(row.Limits), limits[row.Section])
		}
		for _, l := range row.Limits {
			if l.Value <= 0 || l.Ratio != row.Value/l.Value {
				t.Errorf("%s: %+v", row.What, l)
			}
		}
	}
	if rows["start"] != 3 || rows["ingest"] != 7 || rows["warehouse"] != 2 {
		t.Errorf("the rows of each section are %v", rows)
	}
}

// A bridge that runs elsewhere is measured by its ingest alone.
func TestBenchMeasuresElsewhere(t *testing.T) {
	w := newWorld(t)
	binary := build(t)
	args := []string{"bench", "--url", w.url, "--write-key", appKey, "--duration", "100ms", "--json"}
	out, err := exec.CommandContext(t.Context(), binary, args...).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), `"unit": "events/s"`); n != 7 || strings.Contains(string(out), "failed") {
		t.Errorf("%d measurements, want 7:\n%s", n, out)
	}
	w.await(t, "the events", "select count(*) > 7 from app.bench_sent_0000")
}

func TestBenchSaysWhatThereIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--only", "speed"}, "ingest"},
		{[]string{"--url", "http://127.0.0.1:1"}, "--write-key"},
	} {
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), append([]string{"bench"}, c.args...), nil, &stdout, &stderr)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v says %v, want %s in it", c.args, err, c.want)
		}
	}
}
