package ingest_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	analytics "github.com/segmentio/analytics-go/v3"

	"github.com/verobridge/verobridge/ingest"
)

// delivered counts what the SDK reports of its messages.
type delivered struct{ ok, failed atomic.Int32 }

func (d *delivered) Success(analytics.Message)        { d.ok.Add(1) }
func (d *delivered) Failure(analytics.Message, error) { d.failed.Add(1) }

// The real analytics-go sends all its calls, also with the slash at the end of
// its endpoint that makes it post to //v1/batch.
func TestAnalyticsGo(t *testing.T) {
	t.Parallel()
	for name, slash := range map[string]string{"endpoint": "", "endpoint with a slash": "/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, ingest.Options{})
			reports := &delivered{}
			client, err := analytics.NewWithConfig("wk_test", analytics.Config{Endpoint: d.URL + slash, Callback: reports})
			if err != nil {
				t.Fatal(err)
			}
			when := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.FixedZone("", 7200))
			for _, m := range []analytics.Message{
				analytics.Identify{UserId: "u1", Traits: analytics.NewTraits().SetEmail("a@example.com")},
				analytics.Track{UserId: "u1", Event: "Order Completed", Timestamp: when, Properties: analytics.NewProperties().SetRevenue(9.99)},
				analytics.Page{AnonymousId: "a1", Name: "Home"},
				analytics.Screen{UserId: "u1", Name: "Main"},
				analytics.Group{UserId: "u1", GroupId: "g1"},
				analytics.Alias{UserId: "u1", PreviousId: "a1"},
			} {
				if err := client.Enqueue(m); err != nil {
					t.Fatal(err)
				}
			}
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
			if ok, failed := reports.ok.Load(), reports.failed.Load(); ok != 6 || failed != 0 {
				t.Errorf("the SDK reports %d delivered and %d failed, want 6 and 0", ok, failed)
			}
			var got []string
			for _, e := range d.spool.take() {
				if name := e.Get("context.library.name").String(); name != "analytics-go" {
					t.Errorf("%s: context.library.name is %q", e.Type, name)
				}
				if e.Name() == "Order Completed" && e.Get("originalTimestamp").String() != "2026-01-02T03:04:05.678901234+02:00" {
					t.Errorf("originalTimestamp is %s", e.Get("originalTimestamp"))
				}
				got = append(got, string(e.Type)+" "+e.UserID()+e.AnonymousID()+" "+e.Name()+e.Get("groupId").String()+e.PreviousID()+e.Email())
			}
			want := []string{
				"identify u1 a@example.com", "track u1 Order Completed", "page a1 Home",
				"screen u1 Main", "group u1 g1", "alias u1 a1",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}
