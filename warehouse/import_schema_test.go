package warehouse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/pgtest"
)

// segmentSchema is a schema as Segment left it, with the dirt that real ones have:
// ids that are numbers, times that are texts, a view, a table of somebody else.
const segmentSchema = `
create schema production;
create table production.tracks (id varchar(1024) not null, received_at timestamptz, uuid_ts timestamptz, anonymous_id text,
  context_ip text, event text, event_text text, original_timestamp timestamptz, sent_at timestamptz, "timestamp" timestamptz, user_id bigint,
  constraint tracks_pkey primary key (id));
create table production.order_completed (like production.tracks including all);
alter table production.order_completed add total numeric, add quantity bigint, add coupon boolean, add "Odd Name" text, add tags text, add shipped_at timestamptz, add code varchar(8);
create table production.users (id varchar(1024) primary key, received_at timestamptz, uuid_ts timestamptz, email text, plan text, age bigint);
create table production.notes (note text);
create view production.recent as select * from production.tracks;
insert into production.tracks (id, received_at, uuid_ts, event, event_text, user_id, original_timestamp)
  select 'm' || i, '2020-01-01 00:00:00.123456Z', '2020-01-02Z', 'order_completed', 'Order Completed', i, '2020-01-01Z' from generate_series(1, 3) i;
insert into production.order_completed (id, received_at, uuid_ts, event, event_text, user_id, original_timestamp, total, quantity, coupon, "Odd Name", tags, shipped_at, code)
  select id, received_at, uuid_ts, event, event_text, user_id, original_timestamp, 12345678901234567890.10, 9007199254740993, true, E'a\tb\\\n', '["x"]', '2020-01-03T01:00:00+02', 'c-1' from production.tracks;
insert into production.users values ('1', '2020-01-01Z', '2020-01-02Z', 'one@example.com', 'free', 41), ('2', '2020-01-01Z', '2020-01-02Z', 'two@example.com', null, null);`

// from makes a database with a schema to import from.
func from(t *testing.T, schema, sql string) SchemaSource {
	t.Helper()
	url := pgtest.Database(t)
	if _, err := connect(t, url).Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	return SchemaSource{URL: url, Schema: schema}
}

func TestImportSegmentSchema(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(identifyAs(t, "live", "1", arrival, `{"plan":"pro"}`))
	source := from(t, "production", segmentSchema)
	var left []string
	source.LeftOut = func(name, _ string) { left = append(left, name) }
	counts, err := f.Import(ImportOptions{Source: "app"}).Schema(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	want := ImportCounts{Read: 8, Tables: map[string]TableCount{
		"app.tracks": {Read: 3, Present: 3}, "app.order_completed": {Read: 3, Present: 3}, "app.users": {Read: 2, Present: 2, Repeated: 1},
	}}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"notes"}, left); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	f.exec("set timezone = 'UTC'")
	f.want(`select id, received_at, uuid_ts > now() - interval '1 minute' as loaded_now, event, event_text, user_id, total, quantity, coupon, "Odd Name", tags, shipped_at, code
		from app.order_completed where id = 'm2'`,
		`{"id":"m2","received_at":"2020-01-01T00:00:00.123456+00:00","loaded_now":true,"event":"order_completed","event_text":"Order Completed",
		"user_id":"2","total":12345678901234567890.10,"quantity":9007199254740993,"coupon":true,"Odd Name":"a\tb\\\n","tags":"[\"x\"]",
		"shipped_at":"2020-01-02T23:00:00+00:00","code":"c-1"}`)
	f.want(`select column_name, data_type from information_schema.columns where table_schema = 'app' and table_name = 'order_completed'
		and column_name in ('user_id', 'total', 'quantity', 'coupon', 'shipped_at', 'code') order by 1`,
		`{"column_name":"code","data_type":"text"}`, `{"column_name":"coupon","data_type":"boolean"}`,
		`{"column_name":"quantity","data_type":"bigint"}`, `{"column_name":"shipped_at","data_type":"timestamp with time zone"}`,
		`{"column_name":"total","data_type":"numeric"}`, `{"column_name":"user_id","data_type":"text"}`)
	// What arrived since is newer than what is imported.
	f.want("select id, email, plan, age, received_at from app.users order by id",
		`{"id":"1","email":"one@example.com","plan":"pro","age":41,"received_at":"2026-06-06T10:15:30.123456+00:00"}`,
		`{"id":"2","email":"two@example.com","received_at":"2020-01-01T00:00:00+00:00"}`)
}

// Values that do not fit the columns that are here go to discards, those of
// people too, and once.
func TestImportDiscardsOnce(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "live", "Order Completed", `{"coupon":5}`), identifyAs(t, "i1", "9", arrival, `{"plan":7}`))
	source := from(t, "production", segmentSchema)
	discards := []string{
		`{"table_name":"order_completed","row_id":"m1","column_name":"coupon","column_value":"true","reason":"type_mismatch"}`,
		`{"table_name":"order_completed","row_id":"m2","column_name":"coupon","column_value":"true","reason":"type_mismatch"}`,
		`{"table_name":"order_completed","row_id":"m3","column_name":"coupon","column_value":"true","reason":"type_mismatch"}`,
		`{"table_name":"users","row_id":"1","column_name":"plan","column_value":"free","reason":"type_mismatch"}`,
	}
	for range 2 {
		counts, err := f.Import(ImportOptions{Source: "app"}).Schema(t.Context(), source)
		if err != nil {
			t.Fatal(err)
		}
		if counts.Read != 8 || counts.Missing() != 0 {
			t.Errorf("counts %+v", counts)
		}
		f.want("select table_name, row_id, column_name, column_value, reason from app.discards order by 1, 2", discards...)
		f.want("select count(*)::int from app.order_completed", `{"count":4}`)
	}
}

// TestImportSchemaGoesOn stops after the first batch of a table and goes on
// behind it; a finished table is read again for what came since.
func TestImportSchemaGoesOn(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	const rows = rowBatch + 100
	source := from(t, "production", fmt.Sprintf(`create schema production;
		create table production.tracks (id varchar(1024) primary key, received_at timestamptz, uuid_ts timestamptz, event text, event_text text);
		insert into production.tracks select 'm' || lpad(i::text, 9, '0'), now(), now(), 'x', 'X' from generate_series(1, %d) i`, rows))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var seen []ImportProgress
	o := ImportOptions{Source: "app", Progress: func(p ImportProgress) { seen = append(seen, p); stop() }}
	if _, err := f.Import(o).Schema(ctx, source); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped import: %v", err)
	}
	if len(seen) != 1 || seen[0].Read != rowBatch || seen[0].Total != rows {
		t.Errorf("progress %+v", seen)
	}
	f.exec("delete from app.tracks where id = 'm000000001'") // shows that it is not read again
	o.Progress = nil
	counts, err := f.Import(o).Schema(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	if counts.Read != rows || counts.Missing() != 0 || counts.Unread != 0 {
		t.Errorf("counts of both runs: %+v", counts)
	}
	f.want("select count(*)::int from app.tracks", fmt.Sprintf(`{"count":%d}`, rows-1))
	if _, err := connect(t, source.URL).Exec(t.Context(), "insert into production.tracks (id, event, event_text) values ('a new one', 'x', 'X')"); err != nil {
		t.Fatal(err)
	}
	if counts, err = f.Import(o).Schema(t.Context(), source); err != nil || counts.Read != rows+1 {
		t.Errorf("counts of a third run: %+v, %v", counts, err)
	}
	f.want("select count(*)::int from app.tracks", fmt.Sprintf(`{"count":%d}`, rows+1))
	f.want("select origin like '%/production/tracks' as named, finished_at is not null as finished from verobridge.imports", `{"named":true,"finished":true}`)
}

// Rows that came, while an import was stopped, before the place where it goes on.
func TestImportSaysWhatItPassedBy(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	source := from(t, "production", segmentSchema)
	im := f.Import(ImportOptions{Source: "app"})
	if err := f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	config := connect(t, source.URL).Config()
	if err := im.save(t.Context(), originOf(config, "production")+"/tracks", importState{position: "m2", counts: ImportCounts{Read: 1}}); err != nil {
		t.Fatal(err)
	}
	counts, err := im.Schema(t.Context(), source)
	if err != nil || counts.Unread != 1 {
		t.Errorf("unread %d, error %v, want the one row that was not read before m2", counts.Unread, err)
	}
}

// rudderSchema is a schema as RudderStack leaves it: no keys, rows twice, its own
// names for reserved words, other words in names, times in users.
const rudderSchema = `
create schema rudder;
create table rudder.tracks (id text, received_at timestamptz, uuid_ts timestamptz, user_id text, event text, event_text text, channel text, context_passed_ip text);
create table rudder.http_request (like rudder.tracks);
alter table rudder.http_request add status_code_2 bigint, add _order text;
create table rudder._order (like rudder.tracks);
create table rudder.users (id text, received_at timestamptz, uuid_ts timestamptz, sent_at timestamptz, "timestamp" timestamptz, original_timestamp timestamptz, email text, plan text);
create table rudder.rudder_discards (table_name text, row_id text, column_name text, column_value text, received_at timestamptz, uuid_ts timestamptz, reason text);
insert into rudder.tracks values
  ('m1', '2020-01-01Z', now(), 'u1', 'http_request', 'HTTPRequest', 'web', '::1'), ('m1', '2020-01-01Z', now(), 'u1', 'http_request', 'HTTPRequest', 'web', '::1'),
  ('m2', '2020-01-01Z', now(), 'u1', 'order', 'Order', 'web', '::1'), (null, '2020-01-01Z', now(), 'u1', 'order', 'Order', 'web', '::1');
insert into rudder.http_request select *, 200, 'first' from rudder.tracks where id = 'm1';
insert into rudder._order select * from rudder.tracks where id = 'm2';
insert into rudder.users values
  ('u1', '2020-01-01Z', now(), now(), now(), now(), 'old@example.com', 'free'), ('u1', '2020-01-02Z', now(), now(), now(), now(), 'new@example.com', null);
insert into rudder.rudder_discards values ('http_request', 'm1', '_order', '5', '2020-01-01Z', now(), 'incompatible schema conversion from string to int'),
  ('_order', 'm2', 'total', 'much', '2020-01-01Z', now(), 'incompatible schema conversion from string to int'), ('_order', 'gone', 'total', 'x', now(), now(), '');`

func TestImportRudderStackSchema(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "live", "HTTPRequest", `{"statusCode2":404,"order":"live"}`))
	source := from(t, "rudder", rudderSchema)
	left := map[string]bool{}
	source.LeftOut = func(name, _ string) { left[name] = true }
	for run := range 2 {
		counts, err := f.Import(ImportOptions{Source: "app"}).Schema(t.Context(), source)
		if err != nil {
			t.Fatal(err)
		}
		want := ImportCounts{
			Read: 12, Rejected: map[string]int64{"no_id": 1}, Skipped: map[string]int64{"repeated_row": 2},
			Tables: map[string]TableCount{
				"app.tracks": {Read: 2, Present: 2}, "app.httprequest": {Read: 1, Present: 1}, "app.order": {Read: 1, Present: 1}, "app.users": {Read: 2, Present: 2, Repeated: 1}, "verobridge.rejected_events": {Read: 1, Present: 1},
			},
		}
		for name, n := range want.Tables {
			if run > 0 {
				n.Repeated = n.Read
			}
			want.Tables[name] = n
		}
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
		f.want("select id, event, event_text, user_id, status_code2, \"order\", channel from app.httprequest order by id",
			`{"id":"live","event":"httprequest","event_text":"HTTPRequest","user_id":"u1","status_code2":404,"order":"live"}`,
			`{"id":"m1","event":"httprequest","event_text":"HTTPRequest","user_id":"u1","status_code2":200,"order":"first","channel":"web"}`)
		f.want("select id, event from app.tracks where id <> 'live' order by id", `{"id":"m1","event":"httprequest"}`, `{"id":"m2","event":"order"}`)
		f.want(`select id, event from app."order"`, `{"id":"m2","event":"order"}`)
		f.want("select * from (select id, email, plan from app.users) u", `{"id":"u1","email":"new@example.com","plan":"free"}`)
		f.want("select table_name, row_id, column_name, column_value from app.discards order by 1",
			`{"table_name":"httprequest","row_id":"m1","column_name":"order","column_value":"5"}`,
			`{"table_name":"order","row_id":"m2","column_name":"total","column_value":"much"}`)
		f.want("select reason, detail from verobridge.rejected_events", `{"reason":"no_id","detail":"rudder.tracks: the row has no id"}`)
	}
	if diff := cmp.Diff([]string{"users.original_timestamp", "users.sent_at", "users.timestamp"}, slices.Sorted(maps.Keys(left))); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}

// Partitions are read once, with their parent.
// A state that does not say when it was received is older than any that does: it
// fills what is empty.
func TestImportStatesWithoutATime(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(identify(t, "live", arrival, `{"plan":"pro"}`), identifyAs(t, "live2", "u2", arrival, `{"plan":"pro"}`))
	source := from(t, "production", `create schema production;
		create table production.users (id varchar(1024) primary key, received_at timestamptz, plan text, seats bigint);
		insert into production.users values ('u1', null, 'free', 1), ('u2', 'infinity', 'free', 2), ('u3', null, 'free', 3);
		create table production.accounts (id varchar(1024) primary key, plan text);
		insert into production.accounts values ('g1', 'free')`)
	for range 2 {
		if _, err := f.Import(ImportOptions{Source: "app", Patience: time.Second}).Schema(t.Context(), source); err != nil {
			t.Fatal(err)
		}
		f.want("select id, plan, seats, received_at = '"+arrival.Format(time.RFC3339Nano)+"' as live from app.users order by id",
			`{"id":"u1","plan":"pro","seats":1,"live":true}`, `{"id":"u2","plan":"pro","seats":2,"live":true}`, `{"id":"u3","plan":"free","seats":3}`)
		f.want("select id, plan from app.accounts", `{"id":"g1","plan":"free"}`)
	}
}

func TestImportReadsPartitionsOnce(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	source := from(t, "parted", `create schema parted;
		create table parted.clicks (id text, received_at timestamptz, colour text) partition by range (received_at);
		create table parted.clicks_2020 partition of parted.clicks for values from ('2020-01-01') to ('2021-01-01');
		insert into parted.clicks values ('m1', '2020-05-01Z', 'red');`)
	counts, err := f.Import(ImportOptions{Source: "app"}).Schema(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ImportCounts{Read: 1, Tables: map[string]TableCount{"app.clicks": {Read: 1, Present: 1}}}, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// Rows that share an id are not lost where they differ, nor those without one.
func TestImportKeepsRowsWithTheSameID(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	source := from(t, "loose", `create schema loose;
		create table loose.clicks (id text, received_at timestamptz, colour text);
		insert into loose.clicks values ('m1', '2020-01-01Z', 'old'), ('m1', '2020-01-02Z', 'new'), ('m1', '2020-01-02Z', 'new'), ('', '2020-01-01Z', 'nobody');`)
	counts, err := f.Import(ImportOptions{Source: "app"}).Schema(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	want := ImportCounts{
		Read: 4, Rejected: map[string]int64{"duplicate_id": 1, "no_id": 1}, Skipped: map[string]int64{"repeated_row": 1},
		Tables: map[string]TableCount{"app.clicks": {Read: 1, Present: 1}, "verobridge.rejected_events": {Read: 2, Present: 2}},
	}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	f.want("select id, colour from app.clicks", `{"id":"m1","colour":"new"}`)
	f.want("select reason, body::jsonb->>'colour' as colour from verobridge.rejected_events order by 1",
		`{"reason":"duplicate_id","colour":"old"}`, `{"reason":"no_id","colour":"nobody"}`)
}

func TestImportSchemaLeavesErasedPeopleOut(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	o := ImportOptions{Source: "app", Erased: erased(func(e event.Event) bool { return e.UserID() == "1" || e.Email() == "two@example.com" })}
	counts, err := f.Import(o).Schema(t.Context(), from(t, "production", segmentSchema))
	if err != nil {
		t.Fatal(err)
	}
	if counts.Skipped["suppressed"] != 4 || counts.Missing() != 0 {
		t.Errorf("counts %+v", counts)
	}
	f.want("select id from app.users")
	f.want("select id from app.tracks order by id", `{"id":"m2"}`, `{"id":"m3"}`)
}

func TestImportSchemaNeedsOne(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	im := f.Import(ImportOptions{Source: "app"})
	if _, err := im.Schema(t.Context(), SchemaSource{URL: f.url, Schema: "none"}); err == nil {
		t.Error("imported a schema that is not there")
	}
	if _, err := im.Schema(t.Context(), SchemaSource{URL: f.url, Schema: "app"}); err == nil {
		t.Error("imported a schema into itself")
	}
}
