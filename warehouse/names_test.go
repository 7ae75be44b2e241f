package warehouse

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestSlugs holds names to what Segment makes of them.
func TestSlugs(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/slugs.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][2]string
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		input, want := c[0], c[1]
		if want == "" {
			want = "x_" + hash(input)
		}
		if got := slug(input, "x_"); got != want {
			t.Errorf("slug(%q) = %q, want %q", input, got, want)
		}
		if again := slug(want, "x_"); again != want {
			t.Errorf("slug(%q) = %q, not itself", want, again)
		}
	}
}

func TestEventTables(t *testing.T) {
	t.Parallel()
	const long = "This Is A Really Long Event Name That Exceeds The Sixty Three Character Limit For Postgres"
	for _, c := range []struct{ event, want string }{
		{"Order Completed", "order_completed"},
		{"orderCompleted", "order_completed"},
		{"Tracks", "_tracks"},
		{"users", "_users"},
		{"Identifies", "_identifies"},
		{"Pages", "_pages"},
		{"Screens", "_screens"},
		{"Groups", "_groups"},
		{"Accounts", "_accounts"},
		{"Aliases", "_aliases"},
		{"Discards", "_discards"},
		{"日本語", "event_77710aed"},
		{"1st Order", "_1st_order"},
		{"select", "select"},
		{"", "event_e3b0c442"},
		{long, "this_is_a_really_long_event_name_that_exceeds_the_sixt_" + hash("this_is_a_really_long_event_name_that_exceeds_the_sixty_three_character_limit_for_postgres")},
		{strings.Repeat("a", 63), strings.Repeat("a", 63)},
		{"1" + strings.Repeat("a", 62), "_1" + strings.Repeat("a", 52) + "_" + hash("_1"+strings.Repeat("a", 62))},
	} {
		if got := eventTable(c.event); got != c.want {
			t.Errorf("eventTable(%q) = %q, want %q", c.event, got, c.want)
		}
	}
}

func TestSchemaNames(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"app": "app", "Web Shop": "web_shop", "verobridge": "_verobridge", "pg_mine": "_pg_mine",
		"information_schema": "_information_schema", "Email Analytics": "_email_analytics", "2nd": "_2nd",
	} {
		if got := schemaName(source); got != want {
			t.Errorf("schemaName(%q) = %q, want %q", source, got, want)
		}
	}
}

// columnName returns the column of a key below others.
func columnName(path []string, reserved func(string) bool) string {
	slugs := make([]string, len(path))
	for i, key := range path {
		slugs[i] = slug(key, "key_")
	}
	slug := strings.Join(slugs, "_")
	if reserved(slug) {
		slug = "_" + slug
	}
	return identifier(slug)
}

func TestColumnNames(t *testing.T) {
	t.Parallel()
	reserved := reservedIn(trackColumns)
	for _, c := range []struct {
		path []string
		want string
	}{
		{[]string{"orderId"}, "order_id"},
		{[]string{"product_id", "sku"}, "product_id_sku"},
		{[]string{"timestamp"}, "_timestamp"},
		{[]string{"_id"}, "_id"},
		{[]string{"EVENT"}, "_event"},
		{[]string{"contextIp"}, "_context_ip"},
		{[]string{"context"}, "context"},
		{[]string{"order"}, "order"},
		{[]string{"2fa"}, "_2fa"},
		{[]string{"住所", "city"}, "key_" + hash("住所") + "_city"},
	} {
		if got := columnName(c.path, reserved); got != c.want {
			t.Errorf("columnName(%q) = %q, want %q", c.path, got, c.want)
		}
	}
}

// anyName draws names as people and programs write them.
func anyName() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.StringMatching(`[a-zA-Z0-9_ .$-]{0,90}`),
		rapid.StringMatching(`_?[0-9]?[a-z_]{50,70}`),
		rapid.SampledFrom([]string{"users", "Tracks", "_users", "id", "context_ip", "日本語", "___"}),
	)
}

func checkName(t *rapid.T, name string) {
	if len(name) == 0 || len(name) > maxNameBytes {
		t.Fatalf("%q has %d bytes", name, len(name))
	}
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			t.Fatalf("%q is no name that Postgres takes without quotes", name)
		}
	}
}

func TestNamesAreValidAndStable(t *testing.T) {
	t.Parallel()
	reserved := reservedIn(trackColumns)
	rapid.Check(t, func(t *rapid.T) {
		name := anyName().Draw(t, "name")
		table := eventTable(name)
		checkName(t, table)
		if again := eventTable(table); again != table {
			t.Fatalf("eventTable(%q) = %q, whose own table is %q", name, table, again)
		}
		if fixedTables[table] {
			t.Fatalf("event %q has the table %q, which is not for events", name, table)
		}
		column := columnName([]string{name}, reserved)
		checkName(t, column)
		if again := columnName([]string{column}, reserved); again != column {
			t.Fatalf("columnName(%q) = %q, whose own column is %q", name, column, again)
		}
		if reserved(column) {
			t.Fatalf("property %q has the column %q, which is reserved", name, column)
		}
		checkName(t, schemaName(name))
		checkName(t, columnName(rapid.SliceOfN(anyName(), 1, 5).Draw(t, "path"), reserved))
	})
}

func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyName().Draw(t, "a"), anyName().Draw(t, "b")
		same := slug(a, "event_") == slug(b, "event_")
		if got := eventTable(a) == eventTable(b); got != same {
			t.Fatalf("%q and %q share a table: %v, a slug: %v", a, b, got, same)
		}
	})
}
