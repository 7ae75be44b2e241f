package spool

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
)

// A follower sees what came since it began, in order and once, and what became of
// it.
func TestFollow(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), "vero")
	if err := s.Append(t.Context(), call("before", 0)); err != nil {
		t.Fatal(err)
	}
	f, err := s.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if events, reports, skipped, err := f.Next(t.Context()); len(events)+len(reports)+skipped > 0 || err != nil {
		t.Errorf("at first: %d events, %d reports, %d skipped, %v", len(events), len(reports), skipped, err)
	}
	for _, e := range calls("bob", 3) {
		if err := s.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	events, _, skipped, err := f.Next(t.Context())
	if err != nil || skipped > 0 {
		t.Fatalf("%d skipped, %v", skipped, err)
	}
	if diff := cmp.Diff(calls("bob", 3), events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	r := delivery.ReportOf(call("bob", 1), "vero", delivery.Skipped(delivery.ReasonLoopGuard), 1, call("bob", 1).ReceivedAt)
	if err := s.report(t.Context(), []delivery.Report{r}); err != nil {
		t.Fatal(err)
	}
	events, reports, _, err := f.Next(t.Context())
	if err != nil || len(events) > 0 {
		t.Errorf("%d events come twice, %v", len(events), err)
	}
	if diff := cmp.Diff([]delivery.Report{r}, reports); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}

// More than may be read at once is skipped, and counted; then it goes on.
func TestFollowSkips(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), "vero")
	f, err := s.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const more = 5
	for _, e := range calls("bob", followRecords+more) {
		if err := s.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	events, _, skipped, err := f.Next(t.Context())
	if err != nil || len(events) != followRecords || skipped != more {
		t.Errorf("%d events and %d skipped, %v; want %d and %d", len(events), skipped, err, followRecords, more)
	}
	if err := s.Append(t.Context(), call("bob", 999)); err != nil {
		t.Fatal(err)
	}
	if events, _, skipped, err := f.Next(t.Context()); err != nil || len(events) != 1 || skipped != 0 {
		t.Errorf("afterwards %d events and %d skipped, %v", len(events), skipped, err)
	}
}
