package warehouse

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

func TestWriteReports(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	write := func(reports ...delivery.Report) {
		t.Helper()
		for range 2 { // the second time changes nothing
			if err := f.WriteReports(t.Context(), reports); err != nil {
				t.Fatal(err)
			}
		}
	}
	write()
	waiting := delivery.Report{
		Source: "app", MessageID: "m1", Destination: "vero", Type: event.Track, Event: "Order Completed", UserID: "u1",
		Status: delivery.StatusWaiting, Reason: delivery.ReasonThrottled, Detail: "slow down", Attempts: 1, ReceivedAt: arrival,
		Calls: []delivery.Call{
			{Method: "POST", URL: "https://api.example.com", Request: json.RawMessage(`{"n":12345678901234567890}`), Status: 429, Answer: "a\x00b", At: arrival},
			{Method: "POST", URL: "https://api.example.com", Request: json.RawMessage("not JSON\x00"), At: arrival},
		},
	}
	other := delivery.Report{
		Source: "app", MessageID: "m2\x00", Destination: "vero", Type: event.Page, AnonymousID: "a1",
		Status: delivery.StatusSkipped, Reason: delivery.ReasonNoIdentity, Detail: "nobody", Attempts: 1,
		ReceivedAt: arrival, SettledAt: arrival.Add(time.Second),
	}
	write(waiting, other)
	const all = "select source, message_id, destination, type, event, user_id, anonymous_id, status, reason, detail, attempts, received_at, settled_at from verobridge.deliveries order by message_id"
	const skipped = `{"source":"app","message_id":"m2","destination":"vero","type":"page","anonymous_id":"a1","status":"skipped","reason":"no_identity","detail":"nobody","attempts":1,"received_at":"2026-06-06T10:15:30.123456+00:00","settled_at":"2026-06-06T10:15:31.123456+00:00"}`
	f.want(all,
		`{"source":"app","message_id":"m1","destination":"vero","type":"track","event":"Order Completed","user_id":"u1","status":"waiting","reason":"throttled","detail":"slow down","attempts":1,"received_at":"2026-06-06T10:15:30.123456+00:00"}`,
		skipped)
	f.want(`select calls #>> '{0,request,n}' as digits, calls #>> '{0,answer}' as answer, calls #>> '{1,request}' as request
		from verobridge.deliveries where message_id = 'm1'`,
		`{"digits":"12345678901234567890","answer":"ab","request":"not JSON"}`)

	// The last of a slice counts, in any order of statuses.
	done := waiting
	done.Status, done.Reason, done.Detail, done.Attempts, done.Calls = delivery.StatusDelivered, delivery.ReasonDelivered, "delivered", 2, nil
	done.SettledAt = arrival.Add(2 * time.Second)
	write(waiting, done)
	f.want(all,
		`{"source":"app","message_id":"m1","destination":"vero","type":"track","event":"Order Completed","user_id":"u1","status":"delivered","reason":"delivered","detail":"delivered","attempts":2,"received_at":"2026-06-06T10:15:30.123456+00:00","settled_at":"2026-06-06T10:15:32.123456+00:00"}`,
		skipped)
	f.want("select calls from verobridge.deliveries where message_id = 'm1'", `{"calls":[]}`)
}

// TestWriteManyReports: what is copied is what would be upserted, and later reports
// replace it.
func TestWriteManyReports(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	if err := f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.exec(`insert into verobridge.held_events (source, message_id, destination, anonymous_id, body, received_at, expires_at)
		select 'app', 'm' || i, 'vero', 'a', '{}', now(), now() from generate_series(0, 3) i`)
	reports := make([]delivery.Report, copiedReports+1)
	for i := range reports {
		reports[i] = delivery.Report{
			Source: "app", MessageID: fmt.Sprintf("m%d\x00", i), Destination: "vero", Type: event.Track, Event: "Order \x00Completed", UserID: "u1",
			Status: delivery.StatusDelivered, Reason: delivery.ReasonDelivered, Detail: "2026-06-06T10:00:00Z", Attempts: 1 + i, ReceivedAt: arrival,
			SettledAt: arrival.Add(time.Second),
			Calls:     []delivery.Call{{Method: "POST", URL: "https://api.example.com", Request: json.RawMessage(`{"n":12345678901234567890}`), Status: 200, At: arrival}},
		}
	}
	reports[1].Status, reports[1].SettledAt, reports[1].Calls = delivery.StatusHeld, time.Time{}, nil
	reports[2].Status, reports[2].SettledAt, reports[2].UserID, reports[2].AnonymousID = delivery.StatusWaiting, time.Time{}, "", "a1"
	const all = "select * from verobridge.deliveries order by attempts"
	var copied []string
	for _, pass := range []string{"copied", "repeated", "upserted"} {
		switch pass {
		case "repeated":
			copied = f.rows(all)
		case "upserted":
			f.exec("truncate verobridge.deliveries")
		}
		if err := f.WriteReports(t.Context(), reports); err != nil {
			t.Fatal(err)
		}
		f.want("select message_id from verobridge.held_events order by 1", `{"message_id":"m1"}`, `{"message_id":"m2"}`)
		if pass != "copied" {
			if diff := cmp.Diff(copied, f.rows(all)); diff != "" {
				t.Errorf("rows %s (-copied +now):\n%s", pass, diff)
			}
		}
	}
	f.want("select message_id, event, detail, settled_at, calls #>> '{0,request,n}' as n from verobridge.deliveries where attempts = 4",
		`{"message_id":"m3","event":"Order Completed","detail":"2026-06-06T10:00:00Z","settled_at":"2026-06-06T10:15:31.123456+00:00","n":"12345678901234567890"}`)
	reports[1].Status, reports[1].SettledAt = delivery.StatusSkipped, arrival
	if err := f.WriteReports(t.Context(), append(reports, delivery.Report{
		Source: "app", MessageID: "new", Destination: "vero", Status: delivery.StatusSkipped, ReceivedAt: arrival,
	})); err != nil {
		t.Fatal(err)
	}
	f.want("select message_id, status from verobridge.deliveries where message_id in ('m1', 'new') order by 1",
		`{"message_id":"m1","status":"skipped"}`, `{"message_id":"new","status":"skipped"}`)
	f.want("select message_id from verobridge.held_events order by 1", `{"message_id":"m2"}`)
}

// TestNoReportBlocksOthers writes requests whose JSON is valid and refused by
// jsonb, among others.
func TestNoReportBlocksOthers(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	if err := f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.exec("alter table verobridge.deliveries add check (calls #>> '{0,request,n}' is distinct from 'refuse me'), add check (event <> 'refused')")
	report := func(id, request string) delivery.Report {
		return delivery.Report{
			Source: "app", MessageID: id, Destination: "vero", Type: event.Track, Event: "e", Status: delivery.StatusDelivered,
			Reason: delivery.ReasonDelivered, Detail: "delivered", ReceivedAt: arrival, SettledAt: arrival,
			Calls: []delivery.Call{{Method: "POST", Request: json.RawMessage(request), At: arrival}},
		}
	}
	refused := report("7 refused whole", `{}`)
	refused.Event = "refused"
	if err := f.WriteReports(t.Context(), []delivery.Report{
		report("1 good", `{"n":1}`),
		report("2 large", `{"n":1e999999,"list":[-1E+999999,"1e999999",{"1e999999":1.5e3}]}`),
		report("3 small", `{"n":1e-999999}`),
		report("4 long", `{"n":`+strings.Repeat("9", 60_000)+`}`),
		report("5 surrogates", `{"n":"\ud800","\ud800":1}`),
		report("6 refused calls", `{"n":"refuse me"}`),
		refused,
		report("8 good", `{"n":2}`),
	}); err != nil {
		t.Fatal(err)
	}
	f.want("select message_id as id, left(calls #>> '{0,request,n}', 8) as n from verobridge.deliveries order by 1",
		`{"id":"1 good","n":"1"}`,
		`{"id":"2 large","n":"1e999999"}`,
		`{"id":"3 small","n":"1e-99999"}`,
		`{"id":"4 long","n":"99999999"}`,
		`{"id":"5 surrogates","n":"�"}`,
		`{"id":"6 refused calls"}`,
		`{"id":"8 good","n":"2"}`)
	f.want(`select calls #> '{0,request,list}' as list from verobridge.deliveries where message_id = '2 large'`,
		`{"list":["-1E+999999","1e999999",{"1e999999":1500}]}`)
	f.want("select detail, calls from verobridge.deliveries where message_id = '6 refused calls'",
		`{"detail":"delivered (its calls are not shown: Postgres refused them with SQLSTATE 23514)","calls":[]}`)
}
