package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sampleReport() Report {
	single := Row{
		Section: "ingest", What: "single events, 1 connection", Value: 1234.6, Unit: "events/s",
		CPU: 0.0314, Memory: 40 << 20, EventsPerSync: 1,
	}
	single.wait(percentiles{N: 3, P50: 600 * time.Microsecond, P95: 2 * time.Millisecond, P99: 3 * time.Millisecond})
	single.limit("a bare server", 10_000)
	single.limit("append and sync", 2469.2)
	return Report{
		At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), System: "linux/amd64", CPUs: 2,
		Rows: []Row{
			{Section: "start", What: "binary", Value: 46.23, Unit: "MB"},
			single,
			{Section: "ingest", What: "batches of 100, 16 connections", Value: 1_234_567, Unit: "events/s", Failed: 100},
			{Section: "all", What: "everything", Value: 900, Unit: "events/s", Note: "held up for 1m0s"},
		},
	}
}

func TestReportForPeople(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	if err := sampleReport().Write(&got); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "report.txt")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReportForPrograms(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := sampleReport().WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleReport(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPercentiles(t *testing.T) {
	t.Parallel()
	var waits []time.Duration
	for n := range 101 {
		waits = append(waits, time.Duration(n))
	}
	got := percentilesOf(waits)
	if diff := cmp.Diff(percentiles{N: 101, P50: 50, P95: 95, P99: 99}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got.add(percentiles{})
	got.add(percentiles{N: 101, P50: 150, P95: 195, P99: 199})
	if diff := cmp.Diff(percentiles{N: 202, P50: 100, P95: 145, P99: 149}, got); diff != "" {
		t.Errorf("of two slices (-want +got):\n%s", diff)
	}
}

// A backlog is measured from its first event that is there; one that is gone at
// once cannot be.
func TestDrained(t *testing.T) {
	t.Parallel()
	var began time.Time
	perSecond, err := (&world{}).drained(t.Context(), 1000, func(context.Context) (int, error) {
		if began.IsZero() {
			began = time.Now()
			return 0, nil
		}
		return min(1000, 100+int(time.Since(began).Milliseconds())), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if math.IsInf(perSecond, 0) || perSecond <= 0 {
		t.Errorf("%.0f a second, it was about 1,000", perSecond)
	}
	_, err = (&world{}).drained(t.Context(), 10, func(context.Context) (int, error) { return 10, nil })
	if err == nil || !strings.Contains(err.Error(), "--duration") {
		t.Errorf("what is gone at once says %v", err)
	}
}

func TestSumOfAMetric(t *testing.T) {
	t.Parallel()
	pair := func(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }
	counter := func(v float64, labels ...*dto.LabelPair) *dto.Metric {
		return &dto.Metric{Label: labels, Counter: &dto.Counter{Value: &v}}
	}
	family := &dto.MetricFamily{Metric: []*dto.Metric{
		counter(1, pair("destination", "vero"), pair("status", "delivered"), pair("reason", "")),
		counter(2, pair("destination", "vero"), pair("status", "waiting"), pair("reason", "")),
		counter(4, pair("destination", "warehouse"), pair("status", "delivered"), pair("reason", "")),
		counter(8, pair("destination", "vero"), pair("status", "delivered"), pair("reason", "x")),
	}}
	got := []float64{
		sum(family, nil),
		sum(family, map[string]string{"destination": "vero"}),
		sum(family, map[string]string{"destination": "vero", "status": "delivered"}),
		sum(nil, nil),
	}
	if diff := cmp.Diff([]float64{15, 11, 9, 0}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
