package warehouse

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// repairOf names a column of app.order_completed.
func (f *fixture) repairOf(column, typ string) RepairOptions {
	return RepairOptions{URL: f.url, Schema: "app", Table: "order_completed", Column: column, Type: typ}
}

// priced is a loader whose orders have a quantity that came as a whole number
// first, and as others later.
func priced(t *testing.T) *fixture {
	t.Helper()
	f := open(t, Options{})
	f.deliver(track(t, "m1", "Order Completed", `{"quantity":1}`))
	f.deliver(track(t, "m2", "Order Completed", `{"quantity":2.5}`), track(t, "m3", "Order Completed", `{"quantity":"many"}`),
		track(t, "m4", "Order Completed", `{"quantity":12345678901234567890.123}`))
	return f
}

func TestRepairWidensAColumn(t *testing.T) {
	t.Parallel()
	f := priced(t)
	plan, err := PlanRepair(t.Context(), f.repairOf("quantity", "numeric"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(RepairPlan{From: "bigint", To: "numeric", Discards: 3, Fitting: 2}, plan,
		cmpopts.IgnoreFields(RepairPlan{}, "Rows", "Bytes"), cmpopts.IgnoreUnexported(RepairPlan{})); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	f.want("select id, quantity from app.order_completed where quantity is not null", `{"id":"m1","quantity":1}`)
	before := f.rows("select max(uuid_ts) as at from app.order_completed")

	result, err := Repair(t.Context(), f.repairOf("quantity", "numeric"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(RepairResult{Replayed: 2, Kept: 1}, result); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	f.want("select id, quantity from app.order_completed order by id",
		`{"id":"m1","quantity":1}`, `{"id":"m2","quantity":2.5}`, `{"id":"m3"}`, `{"id":"m4","quantity":12345678901234567890.123}`)
	f.want("select row_id, column_value from app.discards", `{"row_id":"m3","column_value":"many"}`)
	if after := f.rows("select min(uuid_ts) as at from app.order_completed where id in ('m2', 'm4')"); after[0] <= before[0] {
		t.Errorf("the rows that were mended have uuid_ts %s, not later than %s", after, before)
	}
	// The loader that runs meanwhile casts to the new type at once.
	f.deliver(track(t, "m5", "Order Completed", `{"quantity":0.5}`))
	f.want("select id, quantity from app.order_completed where id = 'm5'", `{"id":"m5","quantity":0.5}`)
}

func TestRepairSuggestsAType(t *testing.T) {
	t.Parallel()
	f := priced(t)
	for _, c := range []struct{ discard, want string }{
		{"", "text"}, // quantity: many
		{"delete from app.discards where column_value = 'many'", "numeric"},
		{"update app.discards set column_value = '7'", "bigint"}, // as it is: only to be put in
		{"update app.discards set reason = 'name_collision', column_value = 'x'", "bigint"},
		{"drop table app.discards", "bigint"},
	} {
		if c.discard != "" {
			f.exec(c.discard)
		}
		plan, err := PlanRepair(t.Context(), f.repairOf("quantity", ""))
		if err != nil {
			t.Fatal(err)
		}
		if plan.To != c.want {
			t.Errorf("after %q it suggests %s, want %s", c.discard, plan.To, c.want)
		}
	}
}

// A narrower type keeps aside what it does not take.
func TestRepairKeepsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "m1", "Order Completed", `{"code":"x"}`), track(t, "m2", "Order Completed", `{"code":"2.50"}`), track(t, "m3", "Order Completed", `{"code":"3"}`))
	plan, err := PlanRepair(t.Context(), f.repairOf("code", "numeric"))
	if err != nil || plan.Misfits != 1 {
		t.Fatalf("plan %+v, %v, want one misfit", plan, err)
	}
	result, err := Repair(t.Context(), f.repairOf("code", "numeric"))
	if err != nil || result.Discarded != 1 {
		t.Fatalf("result %+v, %v, want one discarded", result, err)
	}
	f.want("select id, code from app.order_completed order by id", `{"id":"m1"}`, `{"id":"m2","code":2.50}`, `{"id":"m3","code":3}`)
	f.want("select table_name, row_id, column_name, column_value, reason from app.discards",
		`{"table_name":"order_completed","row_id":"m1","column_name":"code","column_value":"x","reason":"type_mismatch"}`)
	// And back: nothing was lost on the way.
	if result, err = Repair(t.Context(), f.repairOf("code", "text")); err != nil || result.Replayed != 1 {
		t.Fatalf("result %+v, %v, want one replayed", result, err)
	}
	f.want("select id, code from app.order_completed order by id", `{"id":"m1","code":"x"}`, `{"id":"m2","code":"2.50"}`, `{"id":"m3","code":"3"}`)
	f.want("select row_id from app.discards")
}

// TestRepairConvertsEachType to each other: what fits stays as it was sent.
func TestRepairConvertsEachType(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	values := map[columnType]string{
		typeText: `"abc"`, typeBigint: `7`, typeNumeric: `7.50`, typeBoolean: `true`, typeTimestamptz: `"2021-06-01T10:00:00.5Z"`,
	}
	for from, value := range values {
		for to := range values {
			column := strings.ReplaceAll(fmt.Sprintf("%s_to_%s", strings.Fields(string(from))[0], strings.Fields(string(to))[0]), "timestamp", "time")
			f.deliver(track(t, column, "Order Completed", fmt.Sprintf(`{%q:%s}`, column, value)))
			if _, err := Repair(t.Context(), f.repairOf(column, string(to))); err != nil {
				t.Errorf("%s: %v", column, err)
				continue
			}
			if _, err := Repair(t.Context(), f.repairOf(column, string(from))); err != nil {
				t.Errorf("%s and back: %v", column, err)
				continue
			}
			f.want(fmt.Sprintf(`select %[1]s = %[2]s::%[3]s as "same" from app.order_completed where id = '%[1]s'`,
				column, strings.ReplaceAll(value, `"`, "'"), from), `{"same":true}`)
		}
	}
	f.want("select row_id from app.discards")
}

func TestRepairRecreatesViews(t *testing.T) {
	t.Parallel()
	f := priced(t)
	reader := "repair_of_" + databaseOf(t, f.url)
	createRole(t, f, reader)
	f.exec(`create schema reports;
		create view reports.quantities with (security_barrier=true) as select id, quantity, quantity + quantity as twice from app.order_completed;
		create view reports.total as select sum(quantity) as total from reports.quantities;
		create materialized view reports.kept as select id, twice from reports.quantities;
		create unique index kept_id on reports.kept (id);
		create view reports.other as select id from app.order_completed;
		comment on view reports.total is 'It''s the sum';
		comment on column reports.total.total is 'of all';
		grant select on reports.total to ` + reader + ` with grant option;
		grant select on reports.kept to public`)
	plan, err := PlanRepair(t.Context(), f.repairOf("quantity", "numeric"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"reports.quantities", "reports.kept", "reports.total"}, plan.Views); diff != "" {
		t.Errorf("views (-want +got):\n%s", diff)
	}
	const described = `select c.relname, c.relkind, c.reloptions, c.relacl::text, pg_get_userbyid(c.relowner) as owner, obj_description(c.oid, 'pg_class') as comment,
		col_description(c.oid, 1) as "column", pg_get_viewdef(c.oid) as definition, (select string_agg(pg_get_indexdef(indexrelid), ';') from pg_index where indrelid = c.oid) as indexes
		from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'reports' and c.relkind in ('v', 'm') order by 1`
	before := f.rows(described)
	if _, err := Repair(t.Context(), f.repairOf("quantity", "numeric")); !errors.Is(err, ErrViews) {
		t.Fatalf("repaired below views without leave: %v", err)
	}
	o := f.repairOf("quantity", "numeric")
	o.RecreateViews = true
	if _, err := Repair(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, f.rows(described)); diff != "" {
		t.Errorf("views (-before +after):\n%s", diff)
	}
	f.want("select total from reports.total", `{"total":12345678901234567893.623}`)
	f.want("select count(*)::int from reports.kept", `{"count":4}`)

	f.exec("create rule no_insert as on insert to reports.total do instead nothing")
	o.Type = "text"
	if _, err := Repair(t.Context(), o); err == nil || !strings.Contains(err.Error(), "a rule") {
		t.Errorf("repaired below a view that cannot be made again: %v", err)
	}
	f.want("select data_type from information_schema.columns where table_schema = 'app' and table_name = 'order_completed' and column_name = 'quantity'", `{"data_type":"numeric"}`)
}

// Of people the value received last is put in, unless there is one by then.
func TestRepairPutsInTheLatestState(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(identifyAs(t, "i0", "u0", arrival, `{"age":40}`))
	f.deliver(identifyAs(t, "i1", "u1", arrival, `{"age":"old"}`), identifyAs(t, "i2", "u2", arrival, `{"age":"old"}`))
	f.deliver(identifyAs(t, "i5", "u3", arrival, `{"age":30}`), identifyAs(t, "i6", "u3", arrival.Add(time.Hour), `{"age":"thirty"}`))
	f.deliver(identifyAs(t, "i3", "u1", arrival.Add(time.Hour), `{"age":"older"}`), identifyAs(t, "i4", "u2", arrival.Add(time.Hour), `{"age":42}`))
	result, err := Repair(t.Context(), RepairOptions{URL: f.url, Schema: "app", Table: "users", Column: "age", Type: "text"})
	if err != nil {
		t.Fatal(err)
	}
	f.want("select id, age from app.users order by id", `{"id":"u0","age":"40"}`, `{"id":"u1","age":"older"}`, `{"id":"u2","age":"42"}`, `{"id":"u3","age":"thirty"}`)
	if result.Replayed != 2 || result.Kept != 2 {
		t.Errorf("result %+v", result)
	}
}

func TestRepairWaitsForTheTable(t *testing.T) {
	t.Parallel()
	f := priced(t)
	release := f.holding("lock table app.order_completed in access share mode")
	o := f.repairOf("quantity", "numeric")
	o.LockTimeout = 20 * time.Millisecond
	o.Patience = time.Minute
	var named []string
	o.Waiting = func(holders []string) { named = holders; release() }
	if _, err := Repair(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if len(named) != 1 || !strings.Contains(named[0], "process") {
		t.Errorf("held by %v, want the session that reads", named)
	}
	release = f.holding("lock table app.order_completed in access share mode")
	defer release()
	o.Type, o.Patience, o.Waiting = "text", 10*time.Millisecond, nil
	if _, err := Repair(t.Context(), o); judge(err).verdict != verdictLocked {
		t.Errorf("repair of a table that stays locked: %v", err)
	}
}

func TestRepairSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := priced(t)
	for want, o := range map[string]RepairOptions{
		"there is no table app.none":                      {Schema: "app", Table: "none", Column: "x"},
		"table app.order_completed has no column x":       f.repairOf("x", ""),
		"id is the key":                                   f.repairOf("id", "bigint"),
		"received_at is a standard co":                    f.repairOf("received_at", "text"),
		"uuid_ts is a standard column":                    f.repairOf("uuid_ts", ""),
		"a column can become text":                        f.repairOf("quantity", "money"),
		"a column can become text, numeric, bigint":       f.repairOf("quantity", "numeric(10,2)"),
		"has no column id, by which discards name its ro": {Schema: "app", Table: "discards", Column: "reason"},
	} {
		o.URL = f.url
		if _, err := PlanRepair(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}
