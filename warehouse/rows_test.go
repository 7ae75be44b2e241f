package warehouse

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenRow is a row as the golden files write it.
type goldenRow struct {
	Table string            `json:"table"`
	ID    string            `json:"id"`
	Cells map[string]string `json:"cells"`
	Lost  []string          `json:"lost,omitempty"`
}

func (k kind) String() string {
	return [...]string{"integer", "decimal", "boolean", "instant", "text", "document"}[k]
}

func golden(r *row) goldenRow {
	g := goldenRow{Table: r.table.schema + "." + r.table.name, ID: r.id, Cells: map[string]string{}}
	for c := range r.cells() {
		g.Cells[c.column] = c.value.kind.String() + " " + c.value.text
	}
	for _, v := range r.lost {
		g.Lost = append(g.Lost, v.column+" "+v.value+" "+v.reason)
	}
	return g
}

// TestRows holds the mapping to testdata/rows: a call in, its rows out, in each
// shape.
func TestRows(t *testing.T) {
	t.Parallel()
	calls, err := filepath.Glob("testdata/rows/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(calls) < 10 {
		t.Fatalf("only %d calls", len(calls))
	}
	for _, file := range calls {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			call, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for suffix, shape := range map[string]*shape{".golden": segment, ".rudderstack.golden": rudderStack} {
				record, err := newMapper(shape).record(eventOf(t, "app", arrival, string(call)))
				if err != nil {
					t.Fatal(err)
				}
				var rows []goldenRow
				for i := range record.rows {
					rows = append(rows, golden(&record.rows[i]))
				}
				if record.state != nil {
					rows = append(rows, golden(record.state))
				}
				compareGolden(t, strings.TrimSuffix(file, ".json")+suffix, rows)
			}
		})
	}
}

func compareGolden(t *testing.T, file string, value any) {
	t.Helper()
	var got bytes.Buffer
	e := json.NewEncoder(&got)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestRejectedRow(t *testing.T) {
	t.Parallel()
	e := event.Reject([]byte(`{"type":"tr`+"\x00"+`ack","messageId":"m1","userId":7,"writeKey":"secret"}`), event.Stamp{Source: "app", ReceivedAt: arrival},
		&event.RejectError{Reason: event.ReasonNoEventName, Detail: "a track call needs a name"})
	record, err := newMapper(segment).record(e)
	if err != nil {
		t.Fatal(err)
	}
	want := []goldenRow{{Table: "verobridge.rejected_events", ID: e.ID, Cells: map[string]string{
		"id": "text " + e.ID, "source": "text app", "received_at": "instant 2026-06-06T10:15:30.123456Z",
		"reason": "text no_event_name", "detail": "text a track call needs a name", "body": `text {"type":"track","messageId":"m1","userId":7}`,
		"message_id": "text m1", "user_id": "text 7",
	}}}
	var got []goldenRow
	for i := range record.rows {
		got = append(got, golden(&record.rows[i]))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestUnreadableEvents(t *testing.T) {
	t.Parallel()
	for _, e := range []event.Event{
		{ID: "1", Type: event.Track, Body: []byte(`{"event":`)},
		{ID: "2", Type: "import", Body: []byte(`{}`)},
	} {
		if _, err := newMapper(segment).record(e); err == nil {
			t.Errorf("event %s has rows", e.ID)
		}
	}
}

// TestFlattenIsDeterministic: the order of keys does not decide who wins.
func TestFlattenIsDeterministic(t *testing.T) {
	t.Parallel()
	keys := []string{`"aB":1`, `"a.b":2`, `"a_b":3`, `"a":{"b":4}`, `"A b":5`}
	var want []goldenRow
	for range keys {
		keys = append(keys[1:], keys[0])
		record, err := newMapper(segment).record(track(t, "m", "X", "{"+strings.Join(keys, ",")+"}"))
		if err != nil {
			t.Fatal(err)
		}
		got := []goldenRow{golden(&record.rows[1])}
		if want == nil {
			want = got
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("order %v (-want +got):\n%s", keys, diff)
		}
	}
}

// TestFlattenLosesNothing: each leaf of an object is in a column or lost.
func TestFlattenLosesNothing(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"k":`, 40) + "1" + strings.Repeat("}", 40)
	record, err := newMapper(segment).record(track(t, "m", "X", `{"deep":`+deep+`,"x":{"y":1,"z":2},"x_y":3}`))
	if err != nil {
		t.Fatal(err)
	}
	r := record.rows[1]
	var texts []string
	for c := range r.cells() {
		texts = append(texts, c.value.text)
	}
	for _, want := range []string{"2", "3", strings.Repeat(`{"k":`, 25) + "1" + strings.Repeat("}", 25)} {
		if !slices.Contains(texts, want) {
			t.Errorf("no column holds %s", want)
		}
	}
	if diff := gocmp.Diff([]lost{{"x_y", "1", lostCollision}}, r.lost, gocmp.AllowUnexported(lost{})); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
}

func TestKnownTypes(t *testing.T) {
	t.Parallel()
	app, vero := Source{Name: "app"}, Source{Name: "vero", Vero: true}
	for _, c := range []struct {
		source   Source
		table    string
		standard columns
		column   string
		want     columnType
	}{
		{app, "order_completed", trackColumns, "user_id", typeText},
		{app, "order_completed", trackColumns, "sent_at", typeTimestamptz},
		{app, "order_completed", trackColumns, "context_app_version", typeText},
		{app, "order_completed", trackColumns, "context_screen_density", typeNumeric},
		{app, "order_completed", trackColumns, "campaign_id", typeBoolean}, // as the values say
		{app, "pages", callColumns, "title", typeText},
		{vero, "email_sent", trackColumns, "campaign_id", typeBigint},
		{vero, "email_opened", trackColumns, "opened_at", typeBigint},
		{vero, "email_failed", trackColumns, "email_id", typeText},
	} {
		got := segment.typeOf(c.source, table{"s", c.table}, c.standard, c.column, typeBoolean)
		if got != c.want {
			t.Errorf("%s.%s of %s: %s, want %s", c.table, c.column, c.source.Name, got, c.want)
		}
	}
}

// TestFixedTablesAreComplete: no event may take the name of a table that is not
// for events.
func TestFixedTablesAreComplete(t *testing.T) {
	t.Parallel()
	got := slices.SortedFunc(maps.Keys(sourceTables), cmp.Compare)
	for name := range rudderStack.app {
		if _, both := sourceTables[name]; !both {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	want := slices.SortedFunc(maps.Keys(fixedTables), cmp.Compare)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("tables (-fixed +made):\n%s", diff)
	}
}
