package warehouse

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/event"
)

const analystsDoc = "../docs/analysts.md"

// sampleData are the events that the examples for analysts are about.
func sampleData(t *testing.T) []event.Event {
	t.Helper()
	file, err := os.Open("testdata/analysts.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var events []event.Event
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var line struct {
			Source string
			Call   json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		events = append(events, eventOf(t, line.Source, arrival, string(line.Call)))
	}
	if len(events) < 40 {
		t.Fatalf("only %d events", len(events))
	}
	return events
}

// example is a query of a document and the table of its result behind it.
var example = regexp.MustCompile("(?s)```sql\n(.*?)```\n((?:\n\\|[^\n]*(?:\n\\|[^\n]*)*\n)?)")

// TestExamplesForAnalysts runs every query of the document on the sample data
// and compares the result that the document shows. -update writes it anew.
func TestExamplesForAnalysts(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(sampleData(t)...)
	f.exec("insert into verobridge.identities values ('app', 'visitor-7', 'u1', '2026-06-01T08:00:00Z')")
	f.exec("set timezone = 'UTC'")
	doc, err := os.ReadFile(analystsDoc)
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	got := example.ReplaceAllStringFunc(string(doc), func(found string) string {
		examples++
		sql := example.FindStringSubmatch(found)[1]
		return "```sql\n" + sql + "```\n\n" + f.markdown(sql)
	})
	if examples < len(viewOrder) {
		t.Fatalf("%d examples for %d views", examples, len(viewOrder))
	}
	if *update {
		if err := os.WriteFile(analystsDoc, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(doc), got); diff != "" {
		t.Errorf("%s (-document +result):\n%s", analystsDoc, diff)
	}
}

// markdown returns what a query selects as a table of a document.
func (f *fixture) markdown(sql string) string {
	f.t.Helper()
	rows, err := f.conn.Query(f.t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	var names, rule []string
	for _, field := range rows.FieldDescriptions() {
		names, rule = append(names, field.Name), append(rule, "---")
	}
	line(names)
	line(rule)
	for rows.Next() {
		var cells []string
		for _, raw := range rows.RawValues() {
			cells = append(cells, string(raw))
		}
		line(cells)
	}
	if err := rows.Err(); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
	return b.String()
}

// TestDocumentListsEveryColumn of every view.
func TestDocumentListsEveryColumn(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	if err := f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(analystsDoc)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, section := range strings.Split(string(doc), "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		sections[name] = text
	}
	for _, view := range viewOrder {
		rows, err := f.conn.Query(t.Context(), `select column_name from information_schema.columns
			where table_schema = $1 and table_name = $2`, analyticsSchema, view)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if len(columns) == 0 {
			t.Errorf("there is no view %s", view)
		}
		for _, column := range columns {
			if !strings.Contains(sections[view], "`"+column+"`") {
				t.Errorf("%s does not list column %s of view %s", analystsDoc, column, view)
			}
		}
	}
}
