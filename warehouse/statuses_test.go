package warehouse

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

func TestStatuses(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	known, odd, other, unknown := event.Event{Source: "app", ID: "m1"}, event.Event{Source: "app", ID: "m2\x00"},
		event.Event{Source: "web", ID: "m1"}, event.Event{Source: "app", ID: "m3"}
	if err := f.WriteReports(t.Context(), []delivery.Report{
		delivery.ReportOf(known, "vero", delivery.Delivered(), 1, arrival),
		delivery.ReportOf(odd, "vero", delivery.Held(delivery.ReasonHeld), 1, arrival),
		delivery.ReportOf(unknown, "posthog", delivery.Delivered(), 1, arrival),
	}); err != nil {
		t.Fatal(err)
	}
	got, err := f.Statuses(t.Context(), "vero", []event.Event{other, odd, known, unknown, known})
	if err != nil {
		t.Fatal(err)
	}
	want := []delivery.Status{"", delivery.StatusHeld, delivery.StatusDelivered, "", delivery.StatusDelivered}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
