package warehouse

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

func TestColumnsAppearWithTheirFirstValue(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	columnsOf := func() string {
		t.Helper()
		tables, err := readSchema(t.Context(), f.conn, "app")
		if err != nil {
			t.Fatal(err)
		}
		var own []string
		for _, column := range tables["x"].columns.sorted() {
			if _, standard := trackColumns[column]; !standard {
				own = append(own, column+" "+string(tables["x"].columns[column]))
			}
		}
		return strings.Join(own, ", ")
	}
	f.deliver(track(t, "m1", "X", `{"a":null,"b":{}}`))
	if got := columnsOf(); got != "" {
		t.Errorf("columns are %s, want none but the standard ones", got)
	}
	f.deliver(track(t, "m2", "X", `{"a":1}`), track(t, "m3", "X", `{"a":2.5,"b":{"c":true}}`))
	if got, want := columnsOf(), "a numeric, b_c boolean"; got != want {
		t.Errorf("columns are %s, want %s", got, want)
	}
}

// TestTablesChangedByHand changes tables behind the back of a loader that knows
// them.
func TestTablesChangedByHand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, sql, query, want string }{
		{"a column dropped", "alter table app.x drop column a", "select a from app.x where id = 'm2'", `{"a":2}`},
		{"a standard column dropped", "alter table app.x drop column user_id", "select a, user_id from app.x where id = 'm2'", `{"a":2,"user_id":"u1"}`},
		{"a column with another type", "alter table app.x alter column a type text", "select a from app.x where id = 'm2'", `{"a":"2"}`},
		{"a column that fits no more", "alter table app.x alter column a type boolean using true", "select d.column_value from app.x join app.discards d on d.row_id = x.id where x.id = 'm2' and x.a is null", `{"column_value":"2"}`},
		{"a column added", "alter table app.x add column b text", "select b from app.x where id = 'm2'", `{"b":"new"}`},
		{"the table dropped", "drop table app.x", "select id, a from app.x", `{"id":"m2","a":2}`},
		{"discards dropped", "drop table app.discards", "select id, a from app.x where id = 'm2'", `{"id":"m2","a":2}`},
		{"the schema dropped", "drop schema app cascade", "select id, a from app.x", `{"id":"m2","a":2}`},
		{"the key dropped", "alter table app.x drop constraint x_pkey", "select id, a from app.x where id = 'm2'", `{"id":"m2","a":2}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := open(t, Options{})
			f.deliver(track(t, "m1", "X", `{"a":1}`))
			f.exec(c.sql)
			e := track(t, "m2", "X", `{"a":2,"b":"new"}`)
			f.deliver(e)
			f.deliver(e)
			f.want(c.query, c.want)
			f.want("select count(*)::int as n from app.tracks where id = 'm2'", `{"n":1}`)
		})
	}
}

// TestValueThatTheOldTypeAllowed: a loader that has not heard of the change gives
// a value that the column refuses, reads the catalog again and succeeds.
func TestValueThatTheOldTypeAllowed(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "m1", "X", `{"a":"text"}`))
	f.exec("alter table app.x alter column a type bigint using null")
	got := f.Deliver(t.Context(), []event.Event{track(t, "m2", "X", `{"a":"text again"}`)})
	if diff := cmp.Diff([]outcome{delivered}, outcomes(got)); diff != "" {
		t.Fatalf("outcomes (-want +got):\n%s\n%s", diff, got[0].Detail())
	}
	f.want("select column_value from app.discards", `{"column_value":"text again"}`)
}

// TestAdoptsTablesOfOthers begins on a schema that somebody else filled.
func TestAdoptsTablesOfOthers(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.exec(`
		create schema app;
		create table app.tracks (id varchar(1024) primary key, user_id bigint, original_timestamp text, "userId" text, event text);
		create view app.track_names as select event from app.tracks;
		insert into app.tracks (id, user_id) values ('old', 1)`)
	f.deliver(eventOf(t, "app", arrival, `{"type":"track","messageId":"m1","userId":"7","event":"X","timestamp":"2026-06-06T10:00:00Z"}`))
	f.deliver(eventOf(t, "app", arrival, `{"type":"track","messageId":"m2","userId":"ann","event":"X"}`))
	f.want("select id, user_id, original_timestamp, event_text from app.tracks order by id",
		`{"id":"m1","user_id":7,"original_timestamp":"2026-06-06T10:00:00Z","event_text":"X"}`,
		`{"id":"m2","original_timestamp":"2026-06-06T10:15:30.123456Z","event_text":"X"}`,
		`{"id":"old","user_id":1}`)
	f.want("select table_name, row_id, column_name, column_value from app.discards",
		`{"table_name":"tracks","row_id":"m2","column_name":"user_id","column_value":"ann"}`)
}

// TestFullTable fills a table to Postgres' limit, dropped columns included. The
// last place is that of the overflow; where somebody took it, values go to
// discards.
func TestFullTable(t *testing.T) {
	t.Parallel()
	for places, want := range map[int][2]string{
		1: {`{"first":2,"_overflow":{"last":3,"too_many":4}}`},
		2: {`{"last":3,"first":2,"_overflow":{"too_many":4}}`},
		0: {`{"first":2}`, `{"reasons":"last table_full, too_many table_full"}`},
	} {
		t.Run(fmt.Sprint(places), func(t *testing.T) {
			t.Parallel()
			f := open(t, Options{MaxColumns: maxColumns})
			f.deliver(track(t, "m1", "X", `{"first":1}`))
			var add []string
			for i := range maxColumns - len(trackColumns) - 1 - places {
				add = append(add, fmt.Sprintf("add column c%d text", i))
			}
			f.exec("alter table app.x " + strings.Join(add, ", "))
			f.exec("alter table app.x drop column c0")
			f.catalog.forget()
			f.deliver(track(t, "m2", "X", `{"first":2,"last":3,"too_many":4}`))
			f.want("select to_jsonb(x) - array(select jsonb_object_keys(to_jsonb(y)) from app.x y where id = 'm2' except values ('first'), ('last'), ('_overflow')) as row from app.x where id = 'm2'",
				`{"row":`+want[0]+`}`)
			discarded := want[1]
			if discarded == "" {
				discarded = "{}"
			}
			f.want("select string_agg(column_name || ' ' || reason, ', ' order by column_name) as reasons from app.discards", discarded)
		})
	}
}

// TestMoreValuesThanARowHolds: Postgres refuses the row of a table that has too
// many columns, and its neighbours get in.
func TestMoreValuesThanARowHolds(t *testing.T) {
	t.Parallel()
	f := open(t, Options{MaxColumns: maxColumns})
	var properties []string
	for i := range 1000 {
		properties = append(properties, fmt.Sprintf(`"c%d":"%020d"`, i, i))
	}
	batch := []event.Event{
		track(t, "m1", "X", "{}"),
		track(t, "m2", "X", "{"+strings.Join(properties, ",")+"}"),
		track(t, "m3", "X", "{}"),
	}
	want := []outcome{delivered, {Status: delivery.StatusDead, Reason: delivery.ReasonRowRefused}, delivered}
	if diff := cmp.Diff(want, outcomes(f.Deliver(t.Context(), batch))); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	f.want("select id from app.tracks order by id", `{"id":"m1"}`, `{"id":"m3"}`)
}

// TestRefusedRowsAreFound puts rows that a constraint refuses among others.
func TestRefusedRowsAreFound(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "m", "X", `{"n":0}`))
	f.exec("alter table app.x add check (n >= 0)")
	for _, bad := range [][]int{{0}, {99}, {50}, {10, 11, 70}, {}} {
		var batch []event.Event
		var want []outcome
		for i := range 100 {
			n, o := i, delivered
			for _, b := range bad {
				if i == b {
					n, o = -1, outcome{Status: delivery.StatusDead, Reason: delivery.ReasonRowRefused}
				}
			}
			batch = append(batch, track(t, fmt.Sprintf("m%v-%d", bad, i), "X", fmt.Sprintf(`{"n":%d}`, n)))
			want = append(want, o)
		}
		if diff := cmp.Diff(want, outcomes(f.Deliver(t.Context(), batch))); diff != "" {
			t.Errorf("%v: outcomes (-want +got):\n%s", bad, diff)
		}
	}
	f.want("select count(*)::int as x, (select count(*)::int from app.tracks) as tracks from app.x", `{"x":495,"tracks":495}`)
}

// TestViewInTheTablesPlace holds up the events of that name, and no others.
func TestViewInTheTablesPlace(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	if err := f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.exec("create view app.x as select 1 as one")
	batch := []event.Event{track(t, "m1", "X", "{}"), track(t, "m2", "Y", "{}")}
	want := []outcome{{Status: delivery.StatusWaiting, Reason: delivery.ReasonServerError}, delivered}
	if diff := cmp.Diff(want, outcomes(f.Deliver(t.Context(), batch))); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	f.exec("drop view app.x")
	f.deliver(batch...)
	f.want("select id from app.x", `{"id":"m1"}`)
}
