package warehouse

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"
)

// wireInputs are inputs of form.cast that go to the bounds of their types.
var wireInputs = map[columnType][]string{
	"text":                        {"", "abc", "\x01\t\n\\N é 🦊"},
	"character varying(7)":        {"", "é"},
	"bigint":                      {"0", "-1", "9223372036854775807", "-9223372036854775808"},
	"integer":                     {"0", "-1", "2147483647", "-2147483648"},
	"smallint":                    {"0", "-1", "32767", "-32768"},
	"numeric":                     {"0", "-0", "-0.00", "0.0001", "10000", "99999999.99990000", "1e8000", "-1.50E-8000", "NaN"},
	"numeric(5,2)":                {"0", "12.5", "-999.99"},
	"double precision":            {"0", "-0", "0.1", "1e308", "5e-324", "123456789.123456789"},
	"real":                        {"0", "0.1", "3.4e38", "1e-45", "16777217"},
	"boolean":                     {"true", "false"},
	"timestamp with time zone":    {"2000-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "0002-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"},
	"timestamp without time zone": {"2000-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z"},
	"json":                        {`{"b": 1.50, "a": []}`},
	"jsonb":                       {`{"b": 1.50, "a": []}`, `"x"`},
	"date":                        {"2000-01-01", "1999-12-31", "0001-01-01", "9999-12-31"},
	"time without time zone":      {"00:00", "23:59:59.999999"},
	"uuid":                        {"7f1bd4a2-0c7c-4b0a-9d3e-5f6a7b8c9d0E"},
	"inet":                        {"203.0.113.7", "203.0.113.7/24", "0.0.0.0/0", "2001:db8::1", "2001:db8::1/64", "::ffff:203.0.113.7"},
	"cidr":                        {"203.0.113.0/24", "203.0.113.7", "2001:db8::/32"},
	"bytea":                       {`\x`, `\x00ffA0`},
	"character(3)":                {"", "é", "abc"},
}

// TestWireMeansWhatTextMeans: Postgres reads the same from the bytes of a type
// as from its text.
func TestWireMeansWhatTextMeans(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{}
	f := open(t, Options{})
	for typ, inputs := range wireInputs {
		tested[typ.form().base] = true
		for i, got := range f.overTheWire(t, typ, inputs) {
			if got.want != got.got {
				t.Errorf("%s %q came back as %s, want %s", typ, inputs[i], got.got, got.want)
			}
		}
	}
	for base := range codecs {
		if !tested[base] {
			t.Errorf("no inputs for %s", base)
		}
	}
}

// TestNumbersKeepTheirDigits: any number that fits numeric does.
func TestNumbersKeepTheirDigits(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	numbers := rapid.StringMatching(`-?(0|[1-9][0-9]{0,12}|[1-9][0-9]{13,99}|[1-9]0{1,9})(\.(0{1,9}[0-9]{0,3}|[0-9]{1,40}))?([eE][+-]?[0-9]{1,3})?`)
	rapid.Check(t, func(rt *rapid.T) {
		inputs := rapid.SliceOfN(numbers, 1, 50).Draw(rt, "numbers")
		for i, got := range f.overTheWire(rt, "numeric", inputs) {
			if got.want != got.got {
				rt.Errorf("%s came back as %s, want %s", inputs[i], got.got, got.want)
			}
		}
	})
}

// wired is a value that was copied as bytes, and the same read from text.
type wired struct{ got, want string }

// overTheWire copies inputs into a column and reads them back.
func (f *fixture) overTheWire(t rapid.TB, typ columnType, inputs []string) []wired {
	t.Helper()
	ctx := f.t.Context()
	rel := &relation{columns: columns{"place": typeBigint, "input": typeText, "output": typ}}
	rows := newTuples(rel, nil)
	for i, text := range inputs {
		output := input{text: text}
		if at, ok := parseTime(text); ok && strings.HasPrefix(string(typ), "timestamp") {
			output = input{micros: at.UnixMicro(), isTime: true}
		}
		rows.put(rows.target("place"), input{text: fmt.Sprint(i)})
		rows.put(rows.target("input"), input{text: text})
		rows.put(rows.target("output"), output)
		rows.end()
	}
	var all []wired
	err := pgx.BeginFunc(ctx, f.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf("drop schema if exists wire cascade; create schema wire; create table wire.t (place bigint, input text, output %s)", typ)); err != nil {
			return err
		}
		if err := rows.copyTo(ctx, tx, table{"wire", "t"}, func() {}); err != nil {
			return err
		}
		found, err := tx.Query(ctx, fmt.Sprintf("select output::text, input::%s::text from wire.t order by place", typ))
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(found, func(row pgx.CollectableRow) (w wired, err error) { return w, row.Scan(&w.got, &w.want) })
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", typ, err)
	}
	if len(all) != len(inputs) {
		t.Fatalf("%s: %d values, want %d", typ, len(all), len(inputs))
	}
	return all
}

// TestColumnOfAnotherTypeByHand: where two types have the same length, the bytes
// of one must not be taken for the other.
func TestColumnOfAnotherTypeByHand(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "m1", "X", `{"n":1,"at":"2026-06-06T10:00:00Z"}`))
	f.exec("alter table app.x alter n type double precision, alter at type bigint using 0")
	f.deliver(track(t, "m2", "X", `{"n":2,"at":"2026-06-06T10:00:00Z"}`))
	f.want("select id, n, at from app.x order by id", `{"id":"m1","n":1,"at":0}`, `{"id":"m2","n":2}`)
	f.want("select row_id, column_name, column_value from app.discards", `{"row_id":"m2","column_name":"at","column_value":"2026-06-06T10:00:00Z"}`)
}

// TestColumnOfOtherSizesByHand: what the column would round is a discard at once,
// in rows that are new and in those that are brought up to date.
func TestColumnOfOtherSizesByHand(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(identify(t, "m1", arrival, `{"n":1.5,"s":"a"}`))
	for _, table := range []string{"users", "identifies"} {
		f.exec("alter table app." + table + " alter n type numeric(10,2), alter s type varchar(1)")
	}
	f.deliver(identify(t, "m2", arrival.Add(time.Second), `{"n":29.999,"s":"ab"}`))
	f.want("select id, n, s from app.identifies order by id", `{"id":"m1","n":1.50,"s":"a"}`, `{"id":"m2"}`)
	f.want("select id, n, s from app.users", `{"id":"u1"}`)
	f.exec("alter table app.users alter n type numeric(10,1)")
	f.deliver(identify(t, "m3", arrival.Add(2*time.Second), `{"n":29.99}`))
	f.want("select id, n from app.users", `{"id":"u1"}`)
	f.want("select row_id, column_value from app.discards where column_name = 'n' order by table_name, row_id",
		`{"row_id":"m2","column_value":"29.999"}`, `{"row_id":"u1","column_value":"29.999"}`, `{"row_id":"u1","column_value":"29.99"}`)
}

// TestColumnThatNoValueFits has its default, as one has for which there is no
// value.
func TestColumnThatNoValueFits(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.exec(`create schema app; create table app.x (id varchar(1024) primary key, n int not null default 7,
		u point not null default '(0,0)')`)
	f.deliver(track(t, "m1", "X", `{"n":"many","u":"7f1bd4a2-0c7c-4b0a-9d3e-5f6a7b8c9d0e"}`))
	f.want("select id, n, u from app.x", `{"id":"m1","n":7,"u":"(0,0)"}`)
	f.want("select column_name, column_value from app.discards order by 1", `{"column_name":"n","column_value":"many"}`,
		`{"column_name":"u","column_value":"7f1bd4a2-0c7c-4b0a-9d3e-5f6a7b8c9d0e"}`)
}

// TestColumnsThatComeUpLater: rows before the first with a column have null there.
func TestColumnsThatComeUpLater(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "m1", "X", `{}`), track(t, "m2", "X", `{"a":1}`), track(t, "m3", "X", `{"b":true}`), track(t, "m4", "X", `{"a":2}`))
	f.want("select id, a, b from app.x order by id", `{"id":"m1"}`, `{"id":"m2","a":1}`, `{"id":"m3","b":true}`, `{"id":"m4","a":2}`)
}
