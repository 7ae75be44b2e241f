package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/torture"
)

// The promise of a 200: the real program is killed, loses power and its disk, and
// meets a Postgres and a Vero that fail, again and again, and every event that it
// acknowledged is in Postgres once and had its effect at Vero once, in order.
func TestTortureLosesNothing(t *testing.T) {
	faults := slices.DeleteFunc(torture.Names(), func(name string) bool {
		return name == "siege" || name == "cluster" // they have tests of their own
	})
	tortured(t, 5, faults...)
}

// What holds for one bridge holds for three that share a NATS cluster: bridges and
// nodes are killed, a node is cut off, and bridges are renewed one by one without a
// call that is not taken.
func TestAClusterLosesNothing(t *testing.T) {
	tortured(t, 4, "cluster")
}

func tortured(t *testing.T, cycles int, faults ...string) {
	t.Helper()
	report, err := torture.Run(t.Context(), torture.Options{
		Scenarios: faults, Binary: build(t), Cycles: cycles, Dir: t.TempDir(), Progress: t.Output(),
	})
	var table bytes.Buffer
	if problem := report.Write(&table); problem != nil {
		t.Error(problem)
	}
	t.Log("\n" + table.String())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != len(faults) {
		t.Errorf("%d scenarios ran, want %d", len(report.Results), len(faults))
	}
	for _, r := range report.Results {
		if !r.OK() || r.Cycles != cycles || r.Accepted == 0 {
			t.Errorf("%+v", r)
		}
	}
}

func TestTortureSaysWhatThereIs(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{"torture", "--scenario", "flood"}, nil, &stdout, &stderr)
	if err == nil || !strings.Contains(err.Error(), "power") {
		t.Errorf("an unknown scenario says %v, want the names of those there are", err)
	}
}

// build returns the real program.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "verobridge")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}
