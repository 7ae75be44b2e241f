package story

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
)

// seedDeliveries makes deliveries of n events, the last one of them received at
// newest. Ten at a time are received at the same time.
const seedDeliveries = `
	insert into verobridge.deliveries
	select case when n % 11 = 0 then 'web' else 'app' end, 'm-' || n, d, 'track', 'Event ' || n % 7, 'user-' || n % 13, 'visitor-' || n % 17,
	       case when d = 'warehouse' then 'delivered' when n % 6 = 0 then 'skipped' when n % 25 = 0 then 'dead' else 'delivered' end,
	       case when d = 'warehouse' then 'delivered' when n % 12 = 0 then 'no_consent' when n % 6 = 0 then 'no_identity' when n % 25 = 0 then 'bad_request' else 'delivered' end,
	       'a sentence', 1, '[]', $1::timestamptz - ($2 - n + n % 10) * interval '1 second', $1
	from generate_series(1, $2::int) n, unnest(array['vero', 'warehouse']) d`

var newest = time.Date(2026, 6, 6, 12, 0, 0, 0, time.UTC)

// allOf follows the list to its end.
func (f *fixture) allOf(filter DeliveryFilter) (found []string) {
	f.t.Helper()
	var after DeliveryCursor
	for {
		list, err := f.Deliveries(f.t.Context(), filter, after)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, d := range list.Deliveries {
			found = append(found, d.Source+" "+d.MessageID+" "+d.Destination)
		}
		if list.Next == nil {
			return found
		}
		if len(list.Deliveries) < pageRows && list.SearchedTo.IsZero() {
			f.t.Fatalf("%+v: a page of %d goes on and does not say why", filter, len(list.Deliveries))
		}
		after = *list.Next
	}
}

// Every filter finds what it should, each delivery once, the newest first.
func TestDeliveriesFindsAll(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.exec(seedDeliveries, newest, 1500)
	f.exec(`update verobridge.deliveries set anonymous_id = null where message_id < 'm-3'`)
	for name, test := range map[string]struct {
		filter DeliveryFilter
		where  string
	}{
		"all":                    {DeliveryFilter{}, "true"},
		"status":                 {DeliveryFilter{Status: delivery.StatusSkipped}, "status = 'skipped'"},
		"delivered":              {DeliveryFilter{Status: delivery.StatusDelivered}, "status = 'delivered'"},
		"fate":                   {DeliveryFilter{Status: delivery.StatusSkipped, Reason: "no_consent", Destination: "vero"}, "reason = 'no_consent'"},
		"reason alone":           {DeliveryFilter{Reason: delivery.ReasonBadRequest}, "reason = 'bad_request'"},
		"destination":            {DeliveryFilter{Destination: "warehouse"}, "destination = 'warehouse'"},
		"source":                 {DeliveryFilter{Source: "web"}, "source = 'web'"},
		"event and status":       {DeliveryFilter{Event: "Event 3", Status: delivery.StatusDead}, "event = 'Event 3' and status = 'dead'"},
		"user":                   {DeliveryFilter{Person: "user-5"}, "user_id = 'user-5'"},
		"visitor":                {DeliveryFilter{Person: "visitor-5", Status: delivery.StatusDead}, "anonymous_id = 'visitor-5' and status = 'dead'"},
		"message":                {DeliveryFilter{MessageID: "m-75"}, "message_id = 'm-75'"},
		"message of somebody":    {DeliveryFilter{MessageID: "m-75", Person: "user-1"}, "false"},
		"time":                   {DeliveryFilter{Since: newest.Add(-5 * time.Minute), Until: newest.Add(-time.Minute)}, "received_at >= '2026-06-06 11:55Z' and received_at < '2026-06-06 11:59Z'"},
		"status and time":        {DeliveryFilter{Status: delivery.StatusDead, Since: newest.Add(-5 * time.Minute)}, "status = 'dead' and received_at >= '2026-06-06 11:55Z'"},
		"nothing":                {DeliveryFilter{Event: "Event 9"}, "false"},
		"markup is only a value": {DeliveryFilter{Event: "' or true --"}, "false"},
		"no text of Postgres":    {DeliveryFilter{Event: "a\x00\xff"}, "false"},
	} {
		rows, err := f.conn.Query(t.Context(), `select source || ' ' || message_id || ' ' || destination from verobridge.deliveries
			where `+test.where+` order by received_at desc, source desc, message_id desc, destination desc`)
		if err != nil {
			t.Fatal(err)
		}
		want, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, f.allOf(test.filter)); diff != "" && len(want)+len(f.allOf(test.filter)) > 0 {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A search that finds little reads a bounded number of rows, says how far it came,
// and goes on from there.
func TestDeliveriesSearchesInSteps(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.exec(seedDeliveries, newest, searchRows)
	f.exec(`update verobridge.deliveries set event = 'Rare', user_id = 'robot' where message_id in ('m-5', 'm-9990')`)
	f.exec(`analyze verobridge.deliveries`)

	list, err := f.Deliveries(t.Context(), DeliveryFilter{Event: "Rare", Destination: "vero"}, DeliveryCursor{})
	if err != nil {
		t.Fatal(err)
	}
	// Two rows an event, one event a second.
	if want := newest.Add(-searchRows / 2 * time.Second); list.SearchedTo.Sub(want).Abs() > time.Minute {
		t.Errorf("searched back to %v, want about %v", list.SearchedTo, want)
	}
	if len(list.Deliveries) != 1 || list.Deliveries[0].MessageID != "m-9990" || list.Next == nil {
		t.Errorf("found %+v", list)
	}
	if got, want := fmt.Sprint(f.allOf(DeliveryFilter{Event: "Rare", Destination: "vero"})), "[app m-9990 vero app m-5 vero]"; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
	if list, err := f.Deliveries(t.Context(), DeliveryFilter{Person: "robot"}, DeliveryCursor{}); err != nil || len(list.Deliveries) != 4 || list.Next != nil {
		t.Errorf("a person's deliveries: %+v, %v; want all 4 at once", list, err)
	}
}

func TestFates(t *testing.T) {
	t.Parallel()
	f := open(t)
	empty, err := f.Fates(t.Context(), time.Time{}, time.Time{})
	if want := (Fates{All: Count{0, Exact}, Statuses: map[delivery.Status]Count{}, Fates: []Fate{}}); err != nil || !cmp.Equal(want, empty) {
		t.Errorf("nothing: %+v, %v", empty, err)
	}
	f.exec(seedDeliveries, newest, 1500)
	got, err := f.Fates(t.Context(), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	want := Fates{
		All:      Count{3000, Exact},
		Statuses: map[delivery.Status]Count{"dead": {50, Exact}, "skipped": {250, Exact}},
		Fates: []Fate{
			{"dead", "bad_request", "vero", Count{50, Exact}},
			{"skipped", "no_consent", "vero", Count{125, Exact}},
			{"skipped", "no_identity", "vero", Count{125, Exact}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err = f.Fates(t.Context(), newest.Add(-100*time.Second), newest); err != nil || got.All.Rows == 0 || got.All.Rows > 240 {
		t.Errorf("of the last 100 seconds: %+v, %v", got.All, err)
	}
}

// What is too much to be counted one by one is said to be about so many, or at
// least so many.
func TestFatesSaysWhatItDoesNotCount(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.exec(seedDeliveries, newest, countRows+1000)
	f.exec(`update verobridge.deliveries set status = 'skipped', reason = 'loop_guard' where destination = 'warehouse'`)
	f.exec(`analyze verobridge.deliveries`)
	got, err := f.Fates(t.Context(), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if all := got.All; all.Precision != About || all.Rows < 3*countRows/2 || all.Rows > 3*countRows {
		t.Errorf("all: %+v, want about %d", all, 2*countRows)
	}
	if skipped := got.Statuses["skipped"]; skipped != (Count{countRows, AtLeast}) {
		t.Errorf("skipped: %+v", skipped)
	}
	if dead := got.Statuses["dead"]; dead.Precision != Exact || dead.Rows == 0 {
		t.Errorf("dead: %+v", dead)
	}
	if got, err = f.Fates(t.Context(), newest.AddDate(-1, 0, 0), time.Time{}); err != nil || got.All != (Count{countRows, AtLeast}) {
		t.Errorf("of a year: %+v, %v", got.All, err)
	}
}
