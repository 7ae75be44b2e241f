package warehouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/event"
)

// lines are the lines of a file in memory.
type lines struct {
	rest   []string
	number int64
	read   interface {
		io.Writer
		Sum([]byte) []byte
	}
	// after, if it is not nil, is called after so many lines.
	after  int64
	broken func() error
}

func (l *lines) Next() (int64, []byte, bool, error) {
	if l.broken != nil && l.number == l.after {
		if err := l.broken(); err != nil {
			return 0, nil, false, err
		}
	}
	if len(l.rest) == 0 {
		return 0, nil, false, io.EOF
	}
	line := l.rest[0]
	l.rest, l.number = l.rest[1:], l.number+1
	_, _ = io.WriteString(l.read, line+"\n")
	return l.number, []byte(line), true, nil
}

func (l *lines) Digest() string { return hex.EncodeToString(l.read.Sum(nil)) }

func (l *lines) Close() error { return nil }

func fileOf(text ...string) CallFile {
	return CallFile{Origin: "/calls.ndjson", Open: func() (CallLines, error) { return &lines{rest: text, read: sha256.New()}, nil }}
}

func numbered(from, to int) []string {
	var calls []string
	for i := from; i <= to; i++ {
		calls = append(calls, fmt.Sprintf(
			`{"type":"track","messageId":"m%d","userId":"u1","event":"Order Completed","properties":{"total":%d.50},"receivedAt":"2020-01-01T00:00:%02dZ","timestamp":"2020-01-01T00:00:00Z"}`, i, i, i%60))
	}
	return calls
}

func TestImportCalls(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	calls := append(numbered(1, 3),
		`{"type":"identify","messageId":"i1","userId":"u1","traits":{"email":"a@example.com","plan":"pro"},"receivedAt":"2020-01-01T00:00:00Z"}`,
		`{"type":"track","userId":"u1"}`,
		`{"type":"track","messageId":"no JSON"`,
		`{"type":"track","messageId":"w1","userId":"u1","event":"X","integrations":{"Warehouses":false}}`,
		`{"type":"page","anonymousId":"a1","name":"Home"}`,
	)
	counts, err := f.Import(ImportOptions{Source: "app"}).Calls(t.Context(), fileOf(calls...))
	if err != nil {
		t.Fatal(err)
	}
	want := ImportCounts{
		Read: 8,
		Tables: map[string]TableCount{
			"app.tracks": {Read: 3, Present: 3}, "app.order_completed": {Read: 3, Present: 3}, "app.identifies": {Read: 1, Present: 1}, "app.users": {Read: 1, Present: 1},
			"app.pages": {Read: 1, Present: 1}, "verobridge.rejected_events": {Read: 2, Present: 2},
		},
		Rejected: map[string]int64{"no_event_name": 1, "not_json": 1},
		Skipped:  map[string]int64{"integrations_false": 1},
	}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	f.want(`select id, total, received_at, "timestamp" from app.order_completed where id = 'm2'`,
		`{"id":"m2","total":2.50,"received_at":"2020-01-01T00:00:02+00:00","timestamp":"2020-01-01T00:00:00+00:00"}`)
	f.want("select count(*)::int from app.order_completed where uuid_ts > now() - interval '1 minute'", `{"count":3}`)
	f.want("select id, email, plan from app.users", `{"id":"u1","email":"a@example.com","plan":"pro"}`)
	f.want("select source, reason, detail, body from verobridge.rejected_events order by reason",
		`{"source":"app","reason":"no_event_name","detail":"line 5 of /calls.ndjson: a track call needs the name of its event, a string in \"event\"","body":"{\"type\":\"track\",\"userId\":\"u1\"}"}`,
		`{"source":"app","reason":"not_json","detail":"line 6 of /calls.ndjson: the line is not valid JSON","body":"{\"type\":\"track\",\"messageId\":\"no JSON\""}`)
}

// A row counts once, however often its call was read.
func TestImportCountsRepeatedCalls(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "m1", "Order Completed", `{"total":1}`))
	calls := append(numbered(1, 3), numbered(2, 2)...)
	for i := range 2 {
		calls = append(calls, fmt.Sprintf(`{"type":"identify","messageId":"i%d","userId":"u1","traits":{"n":%[1]d}}`, i))
	}
	counts, err := f.Import(ImportOptions{Source: "app"}).Calls(t.Context(), fileOf(calls...))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]TableCount{
		"app.tracks":          {Read: 4, Present: 4, Repeated: 2},
		"app.order_completed": {Read: 4, Present: 4, Repeated: 2},
		"app.identifies":      {Read: 2, Present: 2},
		"app.users":           {Read: 2, Present: 2, Repeated: 1},
	}
	if diff := cmp.Diff(want, counts.Tables); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	f.want("select (select count(*)::int from app.tracks) as tracks, (select count(*)::int from app.users) as users", `{"tracks":3,"users":1}`)
}

// A line may be what an SDK posts: calls that share an envelope.
func TestImportBatches(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	counts, err := f.Import(ImportOptions{Source: "app"}).Calls(t.Context(), fileOf(
		`{"batch":[{"type":"track","messageId":"b1","userId":"u1","event":"X","timestamp":"2020-01-01T00:00:00Z"},{"type":"track","userId":"u1"},7],
			"sentAt":"2020-01-01T00:00:01Z","context":{"ip":"203.0.113.7"},"integrations":[],"writeKey":"secret"}`,
		`{"batch":[]}`,
		`{"batch":[{"type":"page","messageId":"b2","userId":"u1","receivedAt":"2020-01-02T00:00:00Z"}]}`,
		`{"type":"track","messageId":"m1","userId":"u1","event":"X","batch":[1]}`,
	))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{"no_event_name": 1, "not_an_object": 1}, counts.Rejected); diff != "" || counts.Read != 5 {
		t.Errorf("%d read, rejected (-want +got):\n%s", counts.Read, diff)
	}
	f.want("select id, context_ip, sent_at, received_at from app.tracks where id = 'b1'",
		`{"id":"b1","context_ip":"203.0.113.7","sent_at":"2020-01-01T00:00:01+00:00","received_at":"2020-01-01T00:00:01+00:00"}`)
	f.want("select id from app.pages", `{"id":"b2"}`)
	f.want("select detail like 'call 2 of line 1 of /calls.ndjson: %' as placed from verobridge.rejected_events where reason = 'no_event_name'", `{"placed":true}`)
}

// A receivedAt that is no time does not go unnoticed.
func TestImportCountsUndatedCalls(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	var calls []string
	for i, receivedAt := range []string{`"yesterday"`, `17`, `null`, `"2020-01-01T00:00:00Z"`} {
		calls = append(calls, fmt.Sprintf(`{"type":"page","messageId":"p%d","userId":"u1","sentAt":"2020-01-03T00:00:00Z","receivedAt":%s}`, i, receivedAt))
	}
	counts, err := f.Import(ImportOptions{Source: "app"}).Calls(t.Context(), fileOf(calls...))
	if err != nil || counts.Undated != 2 {
		t.Errorf("%d undated, %v, want 2", counts.Undated, err)
	}
	f.want("select received_at from app.pages where id < 'p3' group by 1", `{"received_at":"2020-01-03T00:00:00+00:00"}`)
}

// everything is what the tests of repetition compare: all rows but their load times.
const everything = `select (select json_agg(t.id order by id) from app.tracks t) as tracks,
	(select json_agg(json_build_array(p.id, p.name) order by id) from app.pages p) as pages,
	(select json_agg(json_build_array(u.id, u.email) order by id) from app.users u) as users,
	(select json_agg(d.column_value order by column_value) from app.discards d) as discards,
	(select json_agg(r.body order by body) from verobridge.rejected_events r) as rejected`

func TestImportCallsAgainChangesNothing(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	calls := append(numbered(1, 3), `{"type":"page","anonymousId":"a1","name":"Home"}`, `{"type":"track"}`,
		`{"type":"track","messageId":"d1","userId":"u1","event":"Order Completed","properties":{"total":"much"}}`)
	first, err := f.Import(ImportOptions{Source: "app"}).Calls(t.Context(), fileOf(calls...))
	if err != nil {
		t.Fatal(err)
	}
	before := f.rows(everything)
	for _, o := range []ImportOptions{{Source: "app"}, {Source: "app", Again: true}} {
		again, err := f.Import(o).Calls(t.Context(), fileOf(calls...))
		if err != nil {
			t.Fatal(err)
		}
		for name, n := range first.Tables {
			if o.Again {
				n.Repeated = n.Read
			}
			first.Tables[name] = n
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("counts (-first +again):\n%s", diff)
		}
		if diff := cmp.Diff(before, f.rows(everything)); diff != "" {
			t.Errorf("rows (-first +again):\n%s", diff)
		}
	}
}

// TestImportCallsGoesOn stops in the middle of a file. What was before is not
// loaded again, unless the file is another one by then.
func TestImportCallsGoesOn(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	all := numbered(1, importLines+20)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	opened := func(text []string, after int64, broken func() error) CallFile {
		return CallFile{Origin: "/calls.ndjson", Open: func() (CallLines, error) {
			return &lines{rest: text, read: sha256.New(), after: after, broken: broken}, nil
		}}
	}
	_, err := f.Import(ImportOptions{Source: "app"}).Calls(ctx, opened(all, importLines+10, func() error { stop(); return nil }))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped import: %v", err)
	}
	f.want("select count(*)::int from app.tracks", fmt.Sprintf(`{"count":%d}`, importLines))
	f.exec("delete from app.tracks where id = 'm1'") // shows that it is not loaded again

	counts, err := f.Import(ImportOptions{Source: "app"}).Calls(t.Context(), fileOf(all...))
	if err != nil {
		t.Fatal(err)
	}
	if n := counts.Tables["app.tracks"]; n.Read != importLines+20 || counts.Missing() != 0 {
		t.Errorf("counts of both runs: %+v", counts)
	}
	f.want("select count(*)::int from app.tracks", fmt.Sprintf(`{"count":%d}`, importLines+19))

	other := append([]string{strings.Replace(all[0], "m1", "other", 1)}, all[1:]...)
	counts, err = f.Import(ImportOptions{Source: "app"}).Calls(t.Context(), fileOf(other...))
	if err != nil {
		t.Fatal(err)
	}
	if counts.Read != importLines+20 {
		t.Errorf("of another file of that name %d lines were read", counts.Read)
	}
	f.want("select id from app.tracks where id in ('m1', 'other')", `{"id":"other"}`)
}

// Lines before one that cannot be read are imported.
func TestImportCallsOfABrokenFile(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	broken := errors.New("unexpected EOF")
	_, err := f.Import(ImportOptions{Source: "app"}).Calls(t.Context(), CallFile{Origin: "/f.gz", Open: func() (CallLines, error) {
		return &lines{rest: numbered(1, 5), read: sha256.New(), after: 3, broken: func() error { return broken }}, nil
	}})
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want the file's", err)
	}
	f.want("select count(*)::int from app.tracks", `{"count":3}`)
}

// erased answers who was erased.
func erased(suppressed func(event.Event) bool) func(context.Context) (func(event.Event) bool, error) {
	return func(context.Context) (func(event.Event) bool, error) { return suppressed, nil }
}

func TestImportLeavesErasedPeopleOut(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	o := ImportOptions{Source: "app", Erased: erased(func(e event.Event) bool { return e.UserID() == "u1" })}
	counts, err := f.Import(o).Calls(t.Context(), fileOf(append(numbered(1, 2), `{"type":"page","messageId":"p","userId":"u2"}`)...))
	if err != nil {
		t.Fatal(err)
	}
	if counts.Skipped["suppressed"] != 2 || counts.Tables["app.pages"].Present != 1 {
		t.Errorf("counts %+v", counts)
	}
	f.want("select id from app.tracks")
}

// A row that Postgres refuses is kept with its place, and the others get in.
func TestImportSetsRefusedRowsAside(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	if err := f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.exec("alter table app.tracks add constraint no_two check (id <> 'm2')")
	counts, err := f.Import(ImportOptions{Source: "app"}).Calls(t.Context(), fileOf(numbered(1, 3)...))
	if err != nil {
		t.Fatal(err)
	}
	if counts.Rejected["row_refused"] != 1 || counts.Missing() != 0 {
		t.Errorf("counts %+v", counts)
	}
	f.want("select id from app.order_completed order by id", `{"id":"m1"}`, `{"id":"m3"}`)
	f.want(`select reason, detail like 'line 2 of /calls.ndjson:%' as "placed" from verobridge.rejected_events`, `{"reason":"row_refused","placed":true}`)
}

// A table that stays locked ends the import, which goes on where it was.
func TestImportWaitsForATable(t *testing.T) {
	t.Parallel()
	f := open(t, Options{LockTimeout: 10 * time.Millisecond, LockPause: 10 * time.Millisecond})
	if err := f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	release := f.holding("lock table app.tracks in access exclusive mode")
	var waited string
	o := ImportOptions{Source: "app", Patience: 50 * time.Millisecond, Progress: func(p ImportProgress) {
		if p.Waiting != nil {
			waited = p.Waiting.Error()
		}
	}}
	if _, err := f.Import(o).Calls(t.Context(), fileOf(numbered(1, 3)...)); err == nil || !strings.HasPrefix(waited, "line 1 of /calls.ndjson: ") {
		t.Fatalf("import into a locked table: %v, said of what it waits for: %q", err, waited)
	}
	release()
	counts, err := f.Import(o).Calls(t.Context(), fileOf(numbered(1, 3)...))
	if err != nil || counts.Tables["app.tracks"] != (TableCount{Read: 3, Present: 3}) {
		t.Errorf("import afterwards: %+v, %v", counts, err)
	}
}
