package doctor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/doctor"
)

func TestRunKeepsTheOrderOfChecks(t *testing.T) {
	t.Parallel()
	second := make(chan struct{})
	found := doctor.Run(t.Context(), time.Minute,
		doctor.Check{Area: "first", Look: func(context.Context) []doctor.Finding {
			<-second // they run beside one another
			f := doctor.In("first")
			f.OK("fine")
			return f.All()
		}},
		doctor.Check{Area: "second", Look: func(context.Context) []doctor.Finding {
			close(second)
			f := doctor.In("second")
			f.Add(doctor.Warning, "do this", "%d things", 2)
			return f.All()
		}},
	)
	if len(found) != 2 || found[0].Area != "first" || found[1] != (doctor.Finding{Level: doctor.Warning, Area: "second", What: "2 things", Cure: "do this"}) {
		t.Errorf("found %+v", found)
	}
}

func TestRunDoesNotWaitForWhatHangs(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	found := doctor.Run(t.Context(), 10*time.Millisecond,
		doctor.Check{Area: "hangs", Look: func(context.Context) []doctor.Finding {
			<-release
			return nil
		}},
		doctor.Check{Area: "obeys", Look: func(ctx context.Context) []doctor.Finding {
			<-ctx.Done()
			f := doctor.In("obeys")
			f.Add(doctor.Error, "wait", "%v", ctx.Err())
			return f.All()
		}},
	)
	if len(found) != 2 || found[0].Level != doctor.Error || !strings.Contains(found[0].What, "no answer within 10ms") || found[1].Area != "obeys" {
		t.Errorf("found %+v", found)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	asked := time.Date(2026, 11, 20, 8, 0, 0, 500_000_000, time.UTC)
	answered := asked.Add(3 * time.Second)
	for name, c := range map[string]struct {
		theirs time.Time
		want   string
	}{
		"within":                   {asked.Add(time.Second), ""},
		"within the precision":     {asked.Add(-2 * time.Second), ""},
		"theirs is late":           {asked.Add(-time.Minute), "59s ahead of that of Vero"},
		"theirs is early":          {answered.Add(time.Minute), "1m0s behind that of Vero"},
		"late, but not by so much": {asked.Add(-3 * time.Second), ""},
	} {
		f := doctor.In("clock")
		f.Clock("Vero", c.theirs, asked, answered, time.Second)
		var got string
		if all := f.All(); len(all) > 0 {
			got = all[0].What
		}
		if got == "" != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
