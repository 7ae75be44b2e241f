package people_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/mockvero"
	"github.com/verobridge/verobridge/internal/people"
	"github.com/verobridge/verobridge/internal/pgtest"
	"github.com/verobridge/verobridge/outbound"
	"github.com/verobridge/verobridge/warehouse"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// start is when the first event of a test is received.
var start = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is a Vero that knows people, on a real Postgres and a mock of Vero
// over HTTP.
type fixture struct {
	*people.People
	t        *testing.T
	clock    *clock
	mock     *mockvero.Server
	vero     *outbound.Vero
	loader   *warehouse.Loader
	recorder *people.Recorder
	resolver *people.Resolver
	caughtUp bool
}

func open(t *testing.T, url string) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: &clock{now: start}, caughtUp: true}
	var err error
	if f.loader, err = warehouse.Open(t.Context(), warehouse.Options{URL: url, Sources: []warehouse.Source{{Name: "app"}}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.loader.Close)
	f.mock = mockvero.New(mockvero.Options{})
	server := httptest.NewServer(f.mock)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		f.mock.Close()
	})
	if f.vero, err = outbound.NewVero(outbound.VeroOptions{
		Name: "vero", URL: server.URL + "/api/v2", AllowPrivate: true, AuthToken: "token",
	}); err != nil {
		t.Fatal(err)
	}
	f.reopen(url)
	return f
}

// reopen knows people anew, as after a restart.
func (f *fixture) reopen(url string) {
	f.t.Helper()
	p, err := people.Open(people.Options{URL: url, Dir: f.t.TempDir(), Prepare: f.loader.Prepare, Now: f.clock.Now})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(p.Close)
	f.People, f.recorder = p, p.Record(f.loader)
	f.resolver = p.Resolve(f.vero, people.ResolverOptions{
		Plan: func(e event.Event) (bool, delivery.Reason) {
			plan := f.vero.Plan(e)
			return len(plan.Requests) > 0, plan.Reason
		},
		Hold:     []string{"Cart Viewed"},
		CaughtUp: func() bool { return f.caughtUp },
	})
}

// prepared returns the URL of a database that has the tables.
func prepared(t *testing.T) string {
	t.Helper()
	url := pgtest.Database(t)
	l, err := warehouse.Open(t.Context(), warehouse.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return url
}

// at makes an event of source app that is received some minutes after start.
func at(t *testing.T, minutes int, body string) event.Event {
	t.Helper()
	return from(t, "app", minutes, body)
}

func from(t *testing.T, source string, minutes int, body string) event.Event {
	t.Helper()
	e, err := event.New([]byte(body), event.Stamp{Source: source, ReceivedAt: start.Add(time.Duration(minutes) * time.Minute)})
	if err != nil {
		t.Fatalf("event.New(%s): %v", body, err)
	}
	return e
}

func cart(t *testing.T, minutes int, visitor string) event.Event {
	t.Helper()
	return at(t, minutes, fmt.Sprintf(`{"type":"track","messageId":"cart-%s-%d","anonymousId":%q,"event":"Cart Viewed"}`, visitor, minutes, visitor))
}

func identify(t *testing.T, minutes int, user, visitor string) event.Event {
	t.Helper()
	return at(t, minutes, fmt.Sprintf(`{"type":"identify","messageId":"identify-%s-%d","userId":%q,"anonymousId":%q,"traits":{"email":"%s@example.com"}}`,
		user, minutes, user, visitor, user))
}

// fates delivers events to Vero and returns what became of each.
func (f *fixture) fates(events ...event.Event) []delivery.Outcome {
	f.t.Helper()
	outcomes := f.resolver.Deliver(f.t.Context(), events)
	if len(outcomes) != len(events) {
		f.t.Fatalf("%d outcomes for %d events", len(outcomes), len(events))
	}
	return outcomes
}

// want fails unless an outcome has a status and reason.
func (f *fixture) want(o delivery.Outcome, status delivery.Status, reason delivery.Reason) {
	f.t.Helper()
	if o.Status() != status || o.Reason() != reason {
		f.t.Fatalf("%s: %s, want %s with reason %s", o.Status(), o.Detail(), status, reason)
	}
}

// resolved lists the held events that an outcome resolves.
func resolved(list []delivery.Resolved) []string {
	var texts []string
	for _, r := range list {
		texts = append(texts, fmt.Sprintf("%s %s", r.Event.ID, r.Outcome.Reason()))
	}
	return texts
}

// report writes what became of events, as the spool lets the warehouse do.
func (f *fixture) report(list []delivery.Resolved) {
	f.t.Helper()
	var reports []delivery.Report
	for _, r := range list {
		reports = append(reports, delivery.ReportOf(r.Event, "vero", r.Outcome, 1, f.clock.Now()))
	}
	if err := f.loader.WriteReports(f.t.Context(), reports); err != nil {
		f.t.Fatal(err)
	}
	f.Reported(reports)
}

// sent lists what Vero has of a user, by messageId.
func (f *fixture) sent(user string) []string {
	var ids []string
	for _, e := range f.mock.Effects().Users[user].Events {
		ids = append(ids, gjson.GetBytes(e.Data, "segment_message_id").String())
	}
	return ids
}

// selects returns one text column of a query.
func selects(t *testing.T, url, query string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	rows, err := conn.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return texts
}
