package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	analytics "github.com/segmentio/analytics-go/v3"
	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/mockvero"
)

const relayKey = "test-relay-key"

// withRelay adds a relay of everything, also of what comes from Vero, to the
// settings.
func withRelay(s settings, url string) settings {
	for i := range s.Sources {
		s.Sources[i].Destinations = append(slices.Clone(s.Sources[i].Destinations), "relay")
	}
	s.Destinations = append(slices.Clone(s.Destinations), destinationSettings{
		Name: "relay", Type: typeSegment, URL: url, WriteKey: relayKey, AllowPrivate: true,
	})
	return s
}

// A bridge relays to the front door of another one: all events of an app and
// from Vero become rows there, with their ids, people, times and values, and once
// however often they are sent.
func TestRelayToAnotherBridge(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})

	there := testSettings(t, "http://127.0.0.1:1")
	there.Sources = []sourceSettings{{Name: "relay", WriteKeys: []string{relayKey}}}
	there.Destinations = nil
	second := startTestBridge(t, there, log)

	here := withRelay(testSettings(t, serve(t, vero)), "http://"+second.publicAddr)
	first := startTestBridge(t, here, log)
	w := &world{bridge: first, db: connect(t, here.Warehouse.URL), vero: vero, url: "http://" + first.publicAddr}
	far := connect(t, there.Warehouse.URL)

	for _, run := range []string{"first", "second"} {
		w.send(t, shopping())
		w.receive(t)
		w.settle(t, run)
		for _, table := range []string{"tracks", "identifies", "pages", "screens", "groups", "aliases"} {
			want := slices.Concat(rowsOf(t, w.db, "app", table), rowsOf(t, w.db, "vero", table))
			slices.SortFunc(want, func(a, b relayRow) int { return strings.Compare(a.ID, b.ID) })
			awaitCondition(t, run+": the rows of "+table, func() bool { return len(rowsOf(t, far, "relay", table)) >= len(want) })
			if diff := cmp.Diff(want, rowsOf(t, far, "relay", table), cmpopts.EquateApproxTime(10*time.Second)); diff != "" {
				t.Errorf("%s, %s here and there (-here +there):\n%s", run, table, diff)
			}
		}
	}
}

// relayRow is what a relay leaves as it is. The far side corrects the time by the
// difference of the clocks and the way.
type relayRow struct {
	ID   string
	Time time.Time
	Row  map[string]any
}

// rowsOf returns the rows of a table, none where it does not exist, by id and
// without what each side stamps itself.
func rowsOf(t *testing.T, db *pgx.Conn, schema, table string) []relayRow {
	t.Helper()
	if count(t, db, "select count(*) from information_schema.tables where table_schema = $1 and table_name = $2", schema, table) == 0 {
		return nil
	}
	found, err := db.Query(t.Context(), `
		select id, "timestamp", jsonb_strip_nulls(to_jsonb(r) - '{timestamp,original_timestamp,received_at,sent_at,uuid_ts}'::text[])
		from `+pgx.Identifier{schema, table}.Sanitize()+` r order by id`)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := pgx.CollectRows(found, pgx.RowToStructByPos[relayRow])
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// What the relay sends is what Segment's own types say it is: they decode it,
// find it valid, and lose nothing of what the app said with them.
func TestRelaySpeaksAnalyticsGo(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := make(map[string]analytics.Message)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _, _ := r.BasicAuth()
		body, err := io.ReadAll(r.Body)
		if err != nil || key != relayKey || r.URL.Path != "/v1/batch" || r.Header.Get("Content-Type") != "application/json" || len(body) > 500_000 {
			t.Errorf("%s with key %q and %d bytes: %v", r.URL.Path, key, len(body), err)
		}
		var batch struct {
			SentAt time.Time         `json:"sentAt"`
			Batch  []json.RawMessage `json:"batch"`
		}
		if err := json.Unmarshal(body, &batch); err != nil || time.Since(batch.SentAt).Abs() > deadline {
			t.Errorf("batch sent at %s: %v", batch.SentAt, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, raw := range batch.Batch {
			var head struct{ Type, MessageID string }
			message, err := analytics.Message(nil), json.Unmarshal(raw, &head)
			if err == nil {
				message, err = decodeMessage(head.Type, raw)
			}
			if err != nil {
				t.Errorf("%v: %s", err, raw)
			}
			got[head.MessageID] = message
		}
		_, _ = io.WriteString(w, `{"success":true}`)
	}))
	t.Cleanup(endpoint.Close)

	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := withRelay(testSettings(t, serve(t, vero)), endpoint.URL)
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	w := &world{bridge: b, db: connect(t, s.Warehouse.URL), vero: vero, url: "http://" + b.publicAddr}
	w.send(t, shopping())
	w.await(t, "every event to be relayed", `
		select count(*) = $1 from verobridge.deliveries where destination = 'relay' and status = 'delivered'`, len(shopping()))

	mu.Lock()
	defer mu.Unlock()
	for _, sent := range shopping() {
		raw, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		want, err := decodeMessage(strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", sent), "analytics.")), raw)
		if err != nil {
			t.Fatal(err)
		}
		id := gjson.GetBytes(raw, "messageId").Str
		// The client and the bridge stamp these.
		stamped := cmp.FilterPath(func(p cmp.Path) bool {
			return slices.Contains([]string{".Library", ".Type", ".Timestamp"}, p.Last().String())
		}, cmp.Ignore())
		none := cmp.Transformer("context", func(c *analytics.Context) analytics.Context {
			if c == nil {
				return analytics.Context{}
			}
			return *c
		})
		if diff := cmp.Diff(want, got[id], stamped, none, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-sent +relayed):\n%s", id, diff)
		}
	}
}

// decodeMessage reads a call into analytics-go's type for it.
func decodeMessage(kind string, raw []byte) (message analytics.Message, err error) {
	switch kind {
	case "identify":
		message, err = decodeAs[analytics.Identify](raw)
	case "track":
		message, err = decodeAs[analytics.Track](raw)
	case "page":
		message, err = decodeAs[analytics.Page](raw)
	case "screen":
		message, err = decodeAs[analytics.Screen](raw)
	case "group":
		message, err = decodeAs[analytics.Group](raw)
	case "alias":
		message, err = decodeAs[analytics.Alias](raw)
	default:
		return nil, fmt.Errorf("a call of type %q", kind)
	}
	if err != nil {
		return nil, err
	}
	return message, message.Validate()
}

func decodeAs[M analytics.Message](raw []byte) (analytics.Message, error) {
	var m M
	err := json.Unmarshal(raw, &m)
	return m, err
}

// A relay that hangs keeps nobody else waiting, and gets everything when it
// answers again.
func TestSlowRelayDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	answers := make(chan struct{})
	var called sync.Once
	waiting := make(chan struct{})
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		called.Do(func() { close(waiting) })
		select {
		case <-answers:
			_, _ = io.WriteString(w, `{"success":true}`)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(endpoint.Close)
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := withRelay(testSettings(t, serve(t, vero)), endpoint.URL)
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	w := &world{bridge: b, db: connect(t, s.Warehouse.URL), vero: vero, url: "http://" + b.publicAddr}

	w.post(t, "/v1/track", appKey, trackCall("hangs", "1"))
	<-waiting
	const more = 20
	for n := range more {
		w.post(t, "/v1/track", appKey, trackCall("meanwhile-"+string(rune('a'+n)), "1"))
	}
	w.await(t, "the other destinations meanwhile", `
		select (select count(*) from app.tested where id like 'meanwhile-%') = $1
		   and (select count(*) from verobridge.deliveries where destination = 'vero' and status = 'delivered') = $1 + 1
		   and not exists(select from verobridge.deliveries where destination = 'relay' and status = 'delivered')`, more)
	close(answers)
	w.await(t, "the relay afterwards", `
		select count(*) = $1 + 1 from verobridge.deliveries where destination = 'relay' and status = 'delivered'`, more)
}
