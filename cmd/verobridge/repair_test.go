package main

import (
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/pgtest"
)

func TestRepairByCommand(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	env := importEnvironment(url)
	for _, call := range []string{
		`{"type":"track","messageId":"m1","userId":"u1","event":"Order Completed","properties":{"weight":5}}`,
		`{"type":"track","messageId":"m2","userId":"u1","event":"Order Completed","properties":{"weight":2.5,"a.b":1,"a_b":2}}`,
	} {
		if _, err := runCommand(t, env, "import", "--to", "app", archived(t, call)); err != nil {
			t.Fatal(err)
		}
	}
	db := connect(t, url)
	if _, err := db.Exec(t.Context(), "create view public.weights as select weight from app.order_completed"); err != nil {
		t.Fatal(err)
	}
	weight := func() (text *string) {
		if err := db.QueryRow(t.Context(), "select weight::text from app.order_completed where id = 'm2'").Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	expect := func(want string, wantErr bool, args ...string) {
		t.Helper()
		out, err := runCommand(t, env, append([]string{"repair"}, args...)...)
		if (err != nil) != wantErr {
			t.Errorf("%v: error %v", args, err)
		}
		if err != nil {
			out += err.Error()
		}
		if !strings.Contains(out, want) {
			t.Errorf("%v says\n%s\nwant %q in it", args, out, want)
		}
	}
	expect("app.order_completed.weight", false)
	expect("no type would help 1 name_collision", false)
	expect("from bigint to numeric", false, "app.order_completed.weight")
	expect("views use the column: public.weights", true, "app.order_completed.weight", "--yes")
	if weight() != nil {
		t.Fatal("something was changed without leave")
	}
	expect("1 values are in the column again, 0 stay", false, "app.order_completed.weight", "--recreate-views", "--yes")
	if got := weight(); got == nil || *got != "2.5" {
		t.Errorf("weight %v, want 2.5", got)
	}
	expect("nothing to do", false, "app.order_completed.weight")
	expect("there are no values in discards that a repair could put into a column", false)
	expect("name_collision", false)
	expect("without a column, repair lists", true, "app.order_completed.height")
	expect("name the column as schema.table.column", true, "weight")
}
