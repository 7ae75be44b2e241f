package warehouse

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

var _ delivery.Destination = (*Loader)(nil)

// calls are one of each type, with values that do not fit beside others.
func calls(t *testing.T) []event.Event {
	t.Helper()
	call := func(source, body string) event.Event { return eventOf(t, source, arrival, body) }
	return []event.Event{
		track(t, "m1", "Order Completed", `{"order_id":"o1","total":12.50,"a_b":1,"a.b":2}`),
		track(t, "m2", "Order Completed", `{"order_id":"o2","total":13}`),
		identify(t, "m3", arrival, `{"email":"ann@example.com","plan":"pro"}`),
		call("app", `{"type":"page","messageId":"m4","anonymousId":"a1","name":"Home","properties":{"path":"/"}}`),
		call("app", `{"type":"screen","messageId":"m5","userId":"u1","name":"Cart"}`),
		call("app", `{"type":"group","messageId":"m6","userId":"u1","groupId":"g1","traits":{"name":"Initech"}}`),
		call("app", `{"type":"alias","messageId":"m7","userId":"u1","previousId":"a1"}`),
		call("vero", `{"type":"track","messageId":"m8","userId":"u1","event":"Email Sent","properties":{"campaign_id":1234567890123456,"email_id":7}}`),
		event.Reject([]byte(`{}`), event.Stamp{Source: "app", ReceivedAt: arrival},
			&event.RejectError{Reason: event.ReasonUnknownType, Detail: "no type"}),
	}
}

func TestDeliverEachCall(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(calls(t)...)
	f.want("select id, event, event_text, user_id, received_at from app.tracks order by id",
		`{"id":"m1","event":"order_completed","event_text":"Order Completed","user_id":"u1","received_at":"2026-06-06T10:15:30.123456+00:00"}`,
		`{"id":"m2","event":"order_completed","event_text":"Order Completed","user_id":"u1","received_at":"2026-06-06T10:15:30.123456+00:00"}`)
	f.want("select id, order_id, total, a_b from app.order_completed order by id",
		`{"id":"m1","order_id":"o1","total":12.50,"a_b":1}`,
		`{"id":"m2","order_id":"o2","total":13}`)
	f.want("select id, user_id, email, plan from app.identifies", `{"id":"m3","user_id":"u1","email":"ann@example.com","plan":"pro"}`)
	f.want("select id, email, plan from app.users", `{"id":"u1","email":"ann@example.com","plan":"pro"}`)
	f.want("select id, anonymous_id, name, path from app.pages", `{"id":"m4","anonymous_id":"a1","name":"Home","path":"/"}`)
	f.want("select id, name from app.screens", `{"id":"m5","name":"Cart"}`)
	f.want("select id, group_id, user_id, name from app.groups", `{"id":"m6","group_id":"g1","user_id":"u1","name":"Initech"}`)
	f.want("select id, name from app.accounts", `{"id":"g1","name":"Initech"}`)
	f.want("select id, user_id, previous_id from app.aliases", `{"id":"m7","user_id":"u1","previous_id":"a1"}`)
	f.want("select id, campaign_id, email_id from vero.email_sent", `{"id":"m8","campaign_id":1234567890123456,"email_id":"7"}`)
	f.want("select id, event from vero.tracks", `{"id":"m8","event":"email_sent"}`)
	f.want("select source, reason, detail, body from verobridge.rejected_events",
		`{"source":"app","reason":"unknown_type","detail":"no type","body":"{}"}`)
	f.want("select * from app.discards",
		`{"table_name":"order_completed","row_id":"m1","column_name":"a_b","column_value":"2","reason":"name_collision","received_at":"2026-06-06T10:15:30.123456+00:00"}`)
	f.want(`select string_agg(column_name, ' ' order by column_name) as columns from information_schema.columns
		where table_schema = 'app' and table_name = 'users'
		  and column_name in ('user_id', 'anonymous_id', 'timestamp', 'sent_at', 'original_timestamp')`, `{}`)
}

// content is all that is in the tables of sources and of verobridge, but for
// the notes of migrations and loads.
func (f *fixture) content() map[string][]string {
	f.t.Helper()
	content := map[string][]string{}
	for _, name := range f.rows(`select schemaname || '.' || tablename as t from pg_tables
		where schemaname in ('app', 'vero', 'verobridge') and tablename not in ('goose_db_version', 'loads')`) {
		table := strings.TrimSuffix(strings.TrimPrefix(name, `{"t":"`), `"}`)
		content[table] = f.rows("select * from " + table + " order by 1, 2")
	}
	return content
}

func TestRepeatedEventsChangeNothing(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	batch := calls(t)
	batch = append(batch, track(t, "m9", "Order Completed", `{"total":"not a number"}`))
	f.deliver(batch[:3]...)
	f.deliver(batch...)
	want := f.content()
	if len(want["app.discards"]) != 2 {
		t.Fatalf("discards are %v, want two", want["app.discards"])
	}
	f.deliver(batch...)
	for _, e := range batch {
		f.deliver(e, e)
	}
	another, err := Open(t.Context(), Options{URL: f.url, Sources: f.sources})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(another.Close)
	for _, o := range another.Deliver(t.Context(), batch) {
		if o.Status() != delivery.StatusDelivered {
			t.Errorf("repeated event: %s", o.Detail())
		}
	}
	if diff := cmp.Diff(want, f.content()); diff != "" {
		t.Errorf("content (-before +after):\n%s", diff)
	}
}

func TestSameIDTwiceInABatchIsOneRow(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(
		identify(t, "m1", arrival, `{"plan":"first","odd":[1]}`),
		identify(t, "m1", arrival, `{"plan":"second"}`),
		track(t, "m1", "Clicked", `{"n":1}`),
		track(t, "m1", "Clicked", `{"n":2}`),
	)
	f.want("select id, plan from app.identifies", `{"id":"m1","plan":"first"}`)
	f.want("select id, plan from app.users", `{"id":"u1","plan":"first"}`)
	f.want("select id, n from app.clicked", `{"id":"m1","n":1}`)
}

func TestSkipsWhatIsNotForTheWarehouse(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	var batch []event.Event
	var want []outcome
	skipped := outcome{Status: delivery.StatusSkipped, Reason: delivery.ReasonIntegrations}
	for i, c := range []struct {
		integrations string
		want         outcome
	}{
		{`{"Warehouses":{"all":false}}`, skipped},
		{`{"Warehouses":{"all":false,"warehouseIds":["x"]}}`, skipped},
		{`{"Warehouses":false}`, skipped},
		{`{"Warehouses":{"all":true}}`, delivered},
		{`{"Warehouses":true}`, delivered},
		{`{"All":false}`, delivered},
		{`{}`, delivered},
	} {
		batch = append(batch, eventOf(t, "app", arrival, fmt.Sprintf(
			`{"type":"track","event":"X","userId":"u1","messageId":"m%d","integrations":%s}`, i, c.integrations)))
		want = append(want, c.want)
	}
	if diff := cmp.Diff(want, outcomes(f.Deliver(t.Context(), batch))); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	f.want("select id from app.tracks order by id", `{"id":"m3"}`, `{"id":"m4"}`, `{"id":"m5"}`, `{"id":"m6"}`)
}

func TestUnreadableEventIsDead(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	bad := event.Event{ID: "m1", Type: event.Track, Source: "app", ReceivedAt: arrival, Body: []byte(`{"event":`)}
	got := outcomes(f.Deliver(t.Context(), []event.Event{bad, track(t, "m2", "X", "{}")}))
	want := []outcome{{Status: delivery.StatusDead, Reason: delivery.ReasonUnreadable}, delivered}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestSourceThatIsNotListed(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(eventOf(t, "Web Shop", arrival, `{"type":"track","event":"X","userId":"u1","messageId":"m1","properties":{"n":"a"}}`))
	f.deliver(eventOf(t, "Web Shop", arrival, `{"type":"track","event":"X","userId":"u1","messageId":"m2","properties":{"n":1}}`))
	f.want("select id, n from web_shop.x order by id", `{"id":"m1","n":"a"}`, `{"id":"m2","n":"1"}`)
	f.want("select * from web_shop.discards")
}

func TestLoadTimeNeverGoesBack(t *testing.T) {
	t.Parallel()
	clock := arrival
	f := open(t, Options{Now: func() time.Time { return clock }})
	f.deliver(track(t, "m1", "X", "{}"), track(t, "m2", "X", "{}"))
	clock = clock.Add(-time.Hour)
	f.deliver(track(t, "m3", "X", "{}"))
	f.want(`select count(distinct uuid_ts) filter (where id in ('m1', 'm2')) as of_first,
		max(uuid_ts) filter (where id = 'm3') > max(uuid_ts) filter (where id <> 'm3') as later from app.x`,
		`{"of_first":1,"later":true}`)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	f := open(t, Options{Registerer: registry, Now: func() time.Time { return arrival.Add(3 * time.Second) }})
	batch := []event.Event{track(t, "m1", "X", `{"n":1}`), identify(t, "m2", arrival, `{}`)}
	f.deliver(batch...)
	f.deliver(batch...) // repeated: counts nothing
	f.deliver(track(t, "m3", "X", `{"n":"one"}`))
	const want = `
# HELP verobridge_warehouse_discards_total Values that did not get into their column, by reason.
# TYPE verobridge_warehouse_discards_total counter
verobridge_warehouse_discards_total{reason="name_collision",schema="app"} 0
verobridge_warehouse_discards_total{reason="name_collision",schema="vero"} 0
verobridge_warehouse_discards_total{reason="table_full",schema="app"} 0
verobridge_warehouse_discards_total{reason="table_full",schema="vero"} 0
verobridge_warehouse_discards_total{reason="type_mismatch",schema="app"} 1
verobridge_warehouse_discards_total{reason="type_mismatch",schema="vero"} 0
# HELP verobridge_warehouse_rows_total Rows inserted, those of repeated events not counted.
# TYPE verobridge_warehouse_rows_total counter
verobridge_warehouse_rows_total{schema="app"} 6
verobridge_warehouse_rows_total{schema="vero"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"verobridge_warehouse_discards_total", "verobridge_warehouse_rows_total"); err != nil {
		t.Error(err)
	}
	if got := testutil.CollectAndCount(registry, "verobridge_warehouse_freshness_seconds", "verobridge_warehouse_load_seconds"); got != 2 {
		t.Errorf("%d histograms, want two", got)
	}
}
