package warehouse

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/tidwall/gjson"
	"pgregory.net/rapid"
)

// TestTypesOfValues loads one event with a property for each value, and asks
// Postgres for the types and values of the columns that came of it.
func TestTypesOfValues(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/types.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][3]string // JSON value, type, text in the column
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 70 {
		t.Fatalf("only %d cases", len(cases))
	}
	var properties []string
	for i, c := range cases {
		properties = append(properties, fmt.Sprintf(`"v%03d":%s`, i, c[0]))
	}
	f := open(t, Options{})
	f.deliver(track(t, "m1", "Types", "{"+strings.Join(properties, ",")+`,"none":null,"empty":{}}`))

	types, err := readSchema(t.Context(), f.conn, "app")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		column := fmt.Sprintf("v%03d", i)
		if got := types["types"].columns[column]; got != columnType(c[1]) {
			t.Errorf("%s has type %s, want %s", c[0], got, c[1])
			continue
		}
		sql := quoteName(column) + "::text"
		if c[1] == string(typeTimestamptz) {
			sql = fmt.Sprintf(`to_char(%s at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || rtrim(to_char(%[1]s, '.US'), '.0') || 'Z'`, quoteName(column))
		}
		var got string
		if err := f.conn.QueryRow(t.Context(), "select "+sql+" from app.types").Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != c[2] {
			t.Errorf("%s came back as %q, want %q", c[0], got, c[2])
		}
	}
	for _, column := range []string{"none", "empty"} {
		if _, ok := types["types"].columns[column]; ok {
			t.Errorf("there is a column %s", column)
		}
	}
	f.want("select * from app.discards")
}

// values are one for each column of the matrix, by its name there.
var values = []struct{ name, json string }{
	{"integer", `42`},
	{"integer out of range", `9223372036854775808`},
	{"fraction", `1.5`},
	{"integral fraction", `42.0`},
	{"integral exponent", `1e3`},
	{"boolean", `true`},
	{"time", `"2021-06-01T05:30:00+05:30"`},
	{"date", `"2021-06-01"`},
	{"integer text", `"42"`},
	{"fraction text", `"1.50"`},
	{"padded text", `"007"`},
	{"boolean text", `"false"`},
	{"other text", `"abc"`},
	{"array", `[1,"a"]`},
}

// none marks a misfit.
const none = "–"

// matrix is what comes of each value in a column of each type, in the order of
// values.
var matrix = map[columnType][]string{
	"text":                        {"42", "9223372036854775808", "1.5", "42.0", "1e3", "true", "2021-06-01T05:30:00+05:30", "2021-06-01", "42", "1.50", "007", "false", "abc", `[1,"a"]`},
	"character varying(3)":        {"42", none, "1.5", none, "1e3", none, none, none, "42", none, "007", none, "abc", none},
	"character varying":           {"42", "9223372036854775808", "1.5", "42.0", "1e3", "true", "2021-06-01T05:30:00+05:30", "2021-06-01", "42", "1.50", "007", "false", "abc", `[1,"a"]`},
	"bigint":                      {"42", none, none, "42", "1000", none, none, none, "42", none, none, none, none, none},
	"integer":                     {"42", none, none, "42", "1000", none, none, none, "42", none, none, none, none, none},
	"smallint":                    {"42", none, none, "42", "1000", none, none, none, "42", none, none, none, none, none},
	"numeric":                     {"42", "9223372036854775808", "1.5", "42.0", "1000", none, none, none, "42", "1.50", none, none, none, none},
	"double precision":            {"42", "9.223372036854776e+18", "1.5", "42", "1000", none, none, none, "42", "1.5", none, none, none, none},
	"boolean":                     {none, none, none, none, none, "true", none, none, none, none, none, "false", none, none},
	"timestamp with time zone":    {none, none, none, none, none, none, "2021-06-01 00:00:00+00", "2021-06-01 00:00:00+00", none, none, none, none, none, none},
	"timestamp without time zone": {none, none, none, none, none, none, "2021-06-01 00:00:00", "2021-06-01 00:00:00", none, none, none, none, none, none},
	"jsonb":                       {"42", "9223372036854775808", "1.5", "42.0", "1000", "true", `"2021-06-01T05:30:00+05:30"`, `"2021-06-01"`, `"42"`, `"1.50"`, `"007"`, `"false"`, `"abc"`, `[1, "a"]`},
	"date":                        {none, none, none, none, none, none, none, "2021-06-01", none, none, none, none, none, none},
	"point":                       {none, none, none, none, none, none, none, none, none, none, none, none, none, none},
	"numeric(5,2)":                {"42.00", none, "1.50", "42.00", none, none, none, none, "42.00", "1.50", none, none, none, none},
}

// TestConflictMatrix makes a table with a column for each cell of the matrix,
// loads all of them, and asks Postgres what is in each.
func TestConflictMatrix(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	if err := f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for typ, wants := range matrix {
		if len(wants) != len(values) {
			t.Fatalf("%s has %d cells, want %d", typ, len(wants), len(values))
		}
		t.Run(string(typ), func(t *testing.T) {
			table := eventTable("cells of " + string(typ))
			var definitions, properties []string
			for i, v := range values {
				definitions = append(definitions, fmt.Sprintf("v%02d %s", i, typ))
				properties = append(properties, fmt.Sprintf(`"v%02d":%s`, i, v.json))
			}
			f.exec("set timezone = 'UTC'")
			f.exec(fmt.Sprintf("create table app.%s (id varchar(1024) primary key, %s)", table, strings.Join(definitions, ", ")))
			f.catalog.forget()
			f.deliver(track(t, table, table, "{"+strings.Join(properties, ",")+"}"))

			var discarded []string
			for i, v := range values {
				want := wants[i]
				var got *string
				if err := f.conn.QueryRow(t.Context(), fmt.Sprintf("select v%02d::text from app.%s", i, table)).Scan(&got); err != nil {
					t.Fatal(err)
				}
				if want == none {
					sent, _ := valueOf(gjson.Parse(v.json))
					discarded = append(discarded, fmt.Sprintf("v%02d %s %s", i, sent.text, lostMisfit))
				}
				if got == nil && want != none || got != nil && *got != want {
					t.Errorf("%s came back as %v, want %s", v.name, deref(got), want)
				}
			}
			rows, err := f.conn.Query(t.Context(), `select column_name || ' ' || column_value || ' ' || reason
				from app.discards where table_name = $1 and row_id = $1 order by column_name`, table)
			if err != nil {
				t.Fatal(err)
			}
			got, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(discarded, got); diff != "" && len(discarded)+len(got) > 0 {
				t.Errorf("discards (-want +got):\n%s", diff)
			}
		})
	}
}

func deref(s *string) string {
	if s == nil {
		return none
	}
	return *s
}

func TestNewColumnTakesTheCommonType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, a, b string
		want       columnType
	}{
		{"integers", "1", "2", typeBigint},
		{"integer and fraction", "1", "2.5", typeNumeric},
		{"fraction and integer", "2.5", "1", typeNumeric},
		{"integer and a larger one", "1", "9223372036854775808", typeNumeric},
		{"integer and boolean", "1", "true", typeText},
		{"integer and text", "1", `"x"`, typeText},
		{"time and text", `"2021-06-01T00:00:00Z"`, `"soon"`, typeText},
		{"array and integer", "[1]", "1", typeText},
	} {
		a, _ := valueOf(gjson.Parse(c.a))
		b, _ := valueOf(gjson.Parse(c.b))
		if got := common(a.kind.columnType(), b.kind.columnType()); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestCleanJSON holds cleanJSON to what the text column of an array must be:
// JSON with the same meaning that jsonb takes.
func TestCleanJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOf(rapid.StringMatching(`(\\|"|u0000|\\u|[a-zé😀\x00\x01]){0,8}`)).Draw(t, "list")
		raw, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		clean := cleanJSON(string(raw))
		var got []string
		if err := json.Unmarshal([]byte(clean), &got); err != nil {
			t.Fatalf("%s is no JSON: %v", clean, err)
		}
		want := make([]string, len(list))
		for i, s := range list {
			want[i] = cleanText(s)
		}
		if !cmp.Equal(want, got) {
			t.Fatalf("%s became %s", raw, clean)
		}
	})
	for raw, want := range map[string]string{
		`[1,-2.50,1e3,12345678901234567890,"1e999999",true]`: `[1,-2.50,1e3,12345678901234567890,"1e999999",true]`,
		`[1e999999,-1E-999999,{"1e999999":1e+999999}]`:       `["1e999999","-1E-999999",{"1e999999":"1e+999999"}]`,
		`1e999999`: `"1e999999"`,
	} {
		if got := cleanJSON(raw); got != want {
			t.Errorf("%s became %s, want %s", raw, got, want)
		}
	}
}
