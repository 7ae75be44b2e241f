package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// arrival is when the events of the tests arrive, unless they say otherwise.
var arrival = time.Date(2026, 6, 6, 10, 15, 30, 123456000, time.UTC)

// eventOf makes an event as the door makes it.
func eventOf(t testing.TB, source string, receivedAt time.Time, body string) event.Event {
	t.Helper()
	e, err := event.New([]byte(body), event.Stamp{Source: source, ReceivedAt: receivedAt})
	if err != nil {
		t.Fatalf("event.New(%s): %v", body, err)
	}
	return e
}

// track makes a track call of source app.
func track(t testing.TB, id, name, properties string) event.Event {
	t.Helper()
	return eventOf(t, "app", arrival, fmt.Sprintf(
		`{"type":"track","messageId":%q,"userId":"u1","event":%q,"properties":%s}`, id, name, properties))
}

// identify makes an identify call of source app.
func identify(t testing.TB, id string, receivedAt time.Time, traits string) event.Event {
	t.Helper()
	return identifyAs(t, id, "u1", receivedAt, traits)
}

func identifyAs(t testing.TB, id, user string, receivedAt time.Time, traits string) event.Event {
	t.Helper()
	return eventOf(t, "app", receivedAt, fmt.Sprintf(
		`{"type":"identify","messageId":%q,"userId":%q,"traits":%s}`, id, user, traits))
}

// fixture is a loader on a database of its own.
type fixture struct {
	*Loader
	t    *testing.T
	conn *pgx.Conn
}

// open makes a loader with the two sources that a bridge usually has.
func open(t *testing.T, o Options) *fixture {
	t.Helper()
	if o.URL == "" {
		o.URL = pgtest.Database(t)
	}
	if o.Sources == nil {
		o.Sources = []Source{{Name: "app"}, {Name: "vero", Vero: true}}
	}
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return &fixture{Loader: l, t: t, conn: connect(t, o.URL)}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// deliver delivers events of which all must get in.
func (f *fixture) deliver(events ...event.Event) {
	f.t.Helper()
	for i, o := range f.Deliver(f.t.Context(), events) {
		if o.Status() != delivery.StatusDelivered {
			f.t.Fatalf("event %s: %s: %s", events[i].ID, o.Status(), o.Detail())
		}
	}
}

func (f *fixture) exec(sql string, args ...any) {
	f.t.Helper()
	if _, err := f.conn.Exec(f.t.Context(), sql, args...); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
}

// rows returns what a query selects, each row as JSON, nulls left out.
func (f *fixture) rows(sql string) []string {
	f.t.Helper()
	rows, err := f.conn.Query(f.t.Context(), "select json_strip_nulls(row_to_json(q))::text from ("+sql+") q")
	if err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
	return got
}

// want compares what a query selects.
func (f *fixture) want(sql string, want ...string) {
	f.t.Helper()
	if diff := cmp.Diff(normal(f.t, want), normal(f.t, f.rows(sql))); diff != "" {
		f.t.Errorf("%s (-want +got):\n%s", sql, diff)
	}
}

// normal decodes JSON rows, so that the order of columns does not count and
// numbers keep their digits.
func normal(t *testing.T, rows []string) []map[string]json.RawMessage {
	t.Helper()
	decoded := make([]map[string]json.RawMessage, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal([]byte(row), &decoded[i]); err != nil {
			t.Fatalf("%s: %v", row, err)
		}
	}
	return decoded
}

// outcome is what tests compare of a delivery.Outcome.
type outcome struct {
	Status      delivery.Status
	Reason      delivery.Reason
	Unavailable bool
}

func outcomes(list []delivery.Outcome) []outcome {
	got := make([]outcome, len(list))
	for i, o := range list {
		got[i] = outcome{o.Status(), o.Reason(), o.Unavailable()}
	}
	return got
}

var delivered = outcome{Status: delivery.StatusDelivered, Reason: delivery.ReasonDelivered}
