package warehouse

import (
	"fmt"
	"testing"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/doctor"
	"github.com/verobridge/verobridge/internal/pgtest"
	"github.com/verobridge/verobridge/internal/pgversion"
)

// TestOldestAndNewestPostgres does everything once on both. The other tests run on
// the Postgres that is installed, or on the one that an environment variable names.
func TestOldestAndNewestPostgres(t *testing.T) {
	t.Parallel()
	here, err := pgversion.Here()
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{here[0], here[len(here)-1]} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			doEverything(t, pgtest.Version(t, version))
		})
	}
}

// TestThroughPgBouncer does everything once through a pooler in session mode.
func TestThroughPgBouncer(t *testing.T) {
	t.Parallel()
	doEverything(t, pgtest.Pooled(t, pgtest.Database(t)))
}

// doEverything does once on a database what the bridge does on one: make tables
// and views, load, add columns, discard, write reports, import, repair, check.
func doEverything(t *testing.T, url string) {
	t.Helper()
	f := open(t, Options{URL: url})
	if err := f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.deliver(calls(t)...)
	f.deliver(sampleData(t)...)
	const all = "select (select count(*) from app.tracks) as app, (select count(*) from vero.tracks) as vero"
	before := f.rows(all)
	f.deliver(sampleData(t)...)
	f.want(all, before...)
	f.deliver(track(t, "e1", "Order Completed", `{"weight":1}`))
	f.deliver(track(t, "e2", "Order Completed", `{"weight":2.5,"colour":"red"}`), track(t, "e3", "Brand New", `{"at":"2021-06-01T10:00:00Z"}`))
	f.want("select row_id, column_name, column_value from app.discards where row_id = 'e2'",
		`{"row_id":"e2","column_name":"weight","column_value":"2.5"}`)
	f.deliver(identifyAs(t, "e4", "e", arrival, `{"email":"e@example.com"}`), identifyAs(t, "e5", "e", arrival, `{"plan":"pro"}`))
	f.want("select id, email, plan from app.users where id = 'e'", `{"id":"e","email":"e@example.com","plan":"pro"}`)
	for _, view := range viewOrder {
		f.rows("select * from " + analyticsSchema + "." + view)
	}
	f.want("select sum(sent)::int > 0 as sent from email_analytics.funnel", `{"sent":true}`)

	report := delivery.ReportOf(track(t, "e1", "Order Completed", "{}"), "vero", delivery.Delivered(), 1, arrival)
	for range 2 {
		if err := f.WriteReports(t.Context(), []delivery.Report{report}); err != nil {
			t.Fatal(err)
		}
	}
	f.want("select message_id, status from verobridge.deliveries", `{"message_id":"e1","status":"delivered"}`)

	f.exec("create view public.weights as select weight from app.order_completed")
	result, err := Repair(t.Context(), RepairOptions{URL: url, Schema: "app", Table: "order_completed", Column: "weight", RecreateViews: true})
	if err != nil || result.Replayed != 1 {
		t.Errorf("repair: %+v, %v", result, err)
	}
	f.want("select id, weight from app.order_completed where weight is not null order by id", `{"id":"e1","weight":1}`, `{"id":"e2","weight":2.5}`)

	f.exec(segmentSchema)
	f.exec("drop schema app cascade")
	f = open(t, Options{URL: url})
	counts, err := f.Import(ImportOptions{Source: "app"}).Schema(t.Context(), SchemaSource{URL: url, Schema: "production"})
	if err != nil || counts.Missing() != 0 || counts.Read != 8 {
		t.Errorf("import of a schema: %+v, %v", counts, err)
	}
	if counts, err = f.Import(ImportOptions{Source: "app"}).Calls(t.Context(), fileOf(numbered(1, 9)...)); err != nil || counts.Missing() != 0 {
		t.Errorf("import of calls: %+v, %v", counts, err)
	}
	f.want("select count(*)::int from app.order_completed", `{"count":9}`)

	findings, err := Check(t.Context(), Options{URL: url, Sources: f.sources})
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range findings {
		if finding.Level == doctor.Error {
			t.Error(fmt.Sprint("check finds ", finding.What))
		}
	}
}
