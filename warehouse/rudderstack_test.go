package warehouse

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"pgregory.net/rapid"
)

// TestRudderNames holds names to what RudderStack makes of them: a key's column,
// and an event's slug and table.
func TestRudderNames(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/rudder_slugs.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][4]string
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		event := rudderEvent(c[0])
		got := [4]string{c[0], rudderName(rudderKey(c[0], true)), event.slug, event.table}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c[0], diff)
		}
	}
}

// Any name becomes one that Postgres keeps, and needs no quotes for.
func TestRudderNamesAreValid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		for _, got := range []string{rudderName(rudderKey(name, true)), rudderName(rudderKey(name, false))} {
			if got == "" {
				continue
			}
			checkName(t, got)
			if rudderReserved[got] {
				t.Fatalf("%q becomes %q, which is reserved", name, got)
			}
		}
		if table := rudderEvent(name).table; fixedTables[table] {
			t.Fatalf("%q has the table %q", name, table)
		}
	})
}

func TestRudderBlanks(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		`""`: true, `[]`: true, `[null]`: true, `[""]`: true, `[[]]`: true,
		`" "`: false, `0`: false, `false`: false, `[1]`: false, `[null,null]`: false, `["a"]`: false,
	} {
		v, _ := valueOf(gjson.Parse(raw))
		if got := rudderBlank(v); got != want {
			t.Errorf("%s is blank: %v, want %v", raw, got, want)
		}
	}
}

func TestRudderStackMode(t *testing.T) {
	t.Parallel()
	f := open(t, Options{Mode: ModeRudderStack})
	f.deliver(
		eventOf(t, "app", arrival, `{"type":"track","messageId":"m1","userId":"u1","event":"HTTPRequest","channel":"web","context":{"ip":"10.0.0.1"},
			"properties":{"orderID2":1,"order":"first","id":"mine","channel":"ads","_private":true,"empty":"","none":[],"日本":5}}`),
		eventOf(t, "app", arrival, `{"type":"track","messageId":"m2","userId":"u1","event":"日本語","properties":{"kept":"aside"}}`),
		eventOf(t, "app", arrival, `{"type":"track","messageId":"m3","userId":"u1","event":"Select"}`),
		eventOf(t, "app", arrival, `{"type":"group","messageId":"m4","userId":"u1","groupId":"g1","traits":{"name":"Initech"}}`),
		eventOf(t, "app", arrival, `{"type":"identify","messageId":"m5","userId":"u1","sentAt":"2026-06-06T10:15:29Z","timestamp":"2026-06-06T10:15:28Z","traits":{"user":"ann"}}`),
	)
	f.deliver(track(t, "m6", "HTTPRequest", `{"orderID2":"two"}`))
	f.want("select id, event, event_text, channel, context_ip, context_passed_ip, order_id2, _order, _private from app.http_request where id = 'm1'",
		`{"id":"m1","event":"http_request","event_text":"HTTPRequest","channel":"web","context_ip":"10.0.0.1","context_passed_ip":"10.0.0.1",
		"order_id2":1,"_order":"first","_private":true}`)
	f.want("select column_name from information_schema.columns where table_schema = 'app' and table_name = 'http_request' and column_name in ('empty', 'none', '_id')")
	f.want("select id, event, event_text from app.tracks where id in ('m2', 'm3') order by id",
		`{"id":"m2","event":"","event_text":"日本語"}`, `{"id":"m3","event":"select","event_text":"Select"}`)
	f.want("select id from app._select", `{"id":"m3"}`)
	f.want("select id, sent_at is not null as sent, original_timestamp is not null as original, _user from app.users",
		`{"id":"u1","sent":true,"original":true,"_user":"ann"}`)
	f.want("select table_name, row_id, column_name, column_value, reason, uuid_ts is not null as loaded from app.rudder_discards order by row_id, column_name",
		`{"table_name":"http_request","row_id":"m1","column_name":"channel","column_value":"ads","reason":"no_column","loaded":true}`,
		`{"table_name":"http_request","row_id":"m1","column_name":"id","column_value":"mine","reason":"no_column","loaded":true}`,
		`{"table_name":"http_request","row_id":"m1","column_name":"日本","column_value":"5","reason":"no_column","loaded":true}`,
		`{"table_name":"tracks","row_id":"m2","column_name":"kept","column_value":"aside","reason":"no_table","loaded":true}`,
		`{"table_name":"http_request","row_id":"m6","column_name":"order_id2","column_value":"two","reason":"type_mismatch","loaded":true}`)
	f.want(`select table_name from information_schema.tables where table_schema = 'app' and table_name in ('accounts', 'discards', 'users', 'rudder_discards') order by 1`,
		`{"table_name":"rudder_discards"}`, `{"table_name":"users"}`)
	f.rows("select * from email_analytics.funnel")

	result, err := Repair(t.Context(), RepairOptions{URL: f.url, Schema: "app", Table: "http_request", Column: "order_id2"})
	if err != nil || result.Replayed != 1 {
		t.Errorf("repair: %+v, %v", result, err)
	}
	f.want("select id, order_id2 from app.http_request order by id", `{"id":"m1","order_id2":"1"}`, `{"id":"m6","order_id2":"two"}`)
}

// What RudderStack wrote goes on under the same names.
func TestImportRudderStackIntoItsMode(t *testing.T) {
	t.Parallel()
	f := open(t, Options{Mode: ModeRudderStack})
	counts, err := f.Import(ImportOptions{Source: "app"}).Schema(t.Context(), from(t, "rudder", rudderSchema))
	if err != nil || counts.Missing() != 0 {
		t.Fatalf("counts %+v, %v", counts, err)
	}
	f.deliver(eventOf(t, "app", arrival, `{"type":"track","messageId":"live","userId":"u1","event":"HTTPRequest","properties":{"status_code_2":404,"order":"live"}}`))
	f.want("select id, event, status_code_2, _order from app.http_request order by id",
		`{"id":"live","event":"http_request","status_code_2":404,"_order":"live"}`, `{"id":"m1","event":"http_request","status_code_2":200,"_order":"first"}`)
	f.want("select id, event from app._order", `{"id":"m2","event":"order"}`)
	f.want("select id, email, sent_at is not null as sent from app.users", `{"id":"u1","email":"new@example.com","sent":true}`)
	f.want("select table_name, row_id, column_name from app.rudder_discards order by 1",
		`{"table_name":"_order","row_id":"m2","column_name":"total"}`, `{"table_name":"http_request","row_id":"m1","column_name":"_order"}`)
}

// What Segment wrote gets RudderStack's names.
func TestImportSegmentIntoRudderStackMode(t *testing.T) {
	t.Parallel()
	f := open(t, Options{Mode: ModeRudderStack})
	source := from(t, "old", `create schema old;
		create table old.httprequest (id varchar(1024) primary key, received_at timestamptz, uuid_ts timestamptz, event text, event_text text, "order" text, "limit" bigint);
		insert into old.httprequest values ('m1', now(), now(), 'httprequest', 'HTTPRequest', 'first', 5)`)
	if _, err := f.Import(ImportOptions{Source: "app"}).Schema(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	f.want("select id, event, _order, _limit from app.http_request", `{"id":"m1","event":"http_request","_order":"first","_limit":5}`)
}

func TestOpenNeedsAMode(t *testing.T) {
	t.Parallel()
	if _, err := Open(t.Context(), Options{URL: "postgres://localhost/db", Mode: "jitsu"}); err == nil {
		t.Error("opened in a mode that there is not")
	}
}
