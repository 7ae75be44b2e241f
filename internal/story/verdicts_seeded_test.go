package story

import (
	"fmt"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/warehouse"
)

// What cannot be provoked in a test, because it takes days, a broken disk or a
// mistake of ours, is read from rows as the bridge would have written them.
func TestVerdictsFromRows(t *testing.T) {
	t.Parallel()
	f := open(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	old := now.Add(-24 * time.Hour)
	started := now.Add(-48 * time.Hour)
	vero := delivery.Standing{Destination: "vero", BehindSince: now.Add(-time.Minute), CompleteUntil: now.Add(-time.Hour)}
	state := func(vero delivery.Standing, at time.Time) {
		t.Helper()
		err := f.loader.WriteState(t.Context(), warehouse.State{
			Started: started, At: at,
			Sources: []warehouse.SourceState{
				{Name: "app", Type: "app", Trust: "server", Destinations: []string{"warehouse", "vero"}},
				{Name: "vero", Type: "vero", Trust: "server", Destinations: []string{"warehouse"}},
			},
			Destinations: []warehouse.DestinationState{
				{Type: warehouseType, Standing: delivery.Standing{Destination: "warehouse", CompleteUntil: now.Add(-time.Hour)}},
				{Type: veroType, Standing: vero},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	state(vero, now)

	var reports []delivery.Report
	// loaded is an event of its own person that the warehouse has.
	loaded := func(id string, received time.Time) delivery.Report {
		r := delivery.Report{
			Source: "app", MessageID: id, Destination: "warehouse", Type: event.Track, Event: "E", UserID: id,
			Status: delivery.StatusDelivered, Reason: delivery.ReasonDelivered, ReceivedAt: received, SettledAt: received.Add(time.Second),
		}
		reports = append(reports, r)
		return r
	}
	at := func(id string, received time.Time, status delivery.Status, reason delivery.Reason, calls ...delivery.Call) {
		r := loaded(id, received)
		r.Destination, r.Status, r.Reason, r.Detail, r.Calls, r.Attempts = "vero", status, reason, reason.Sentence(), calls, 1
		reports = append(reports, r)
	}
	call := func(data string) delivery.Call {
		return delivery.Call{
			Method: "POST", URL: "https://api.getvero.com/api/v2/events/track", Status: 200, At: old,
			Request: fmt.Appendf(nil, `{"identity":{"id":"1","email":"a@example.com"},"data":%s}`, data),
		}
	}
	want := map[string]string{
		"ambiguous": "ambiguous", "too-long": "dead_value_too_long", "exhausted": "dead_retries_exhausted",
		"unreadable": "dead_unreadable", "bug": "dead_internal_error", "suppressed": "suppressed", "full": "held_full",
		"flood": "browser_flood", "removed": "source_removed", "unrouted": "route_removed", "replayed": "replay_waiting",
		"identities": "waiting_for_identities", "locked": "table_locked",
		"untold": "unaccounted", "queued": "queued", "earlier": "before_the_route",
		"first": "no_email_reports", "no-address": "no_address", "second": "repeated_event",
	}
	at("ambiguous", old, delivery.StatusAmbiguous, delivery.ReasonAmbiguous)
	at("too-long", old, delivery.StatusDead, delivery.ReasonTooLong)
	at("exhausted", old, delivery.StatusDead, delivery.ReasonExpired)
	at("unreadable", old, delivery.StatusDead, delivery.ReasonUnreadable)
	at("bug", old, delivery.StatusDead, delivery.ReasonBug)
	at("suppressed", old, delivery.StatusSkipped, delivery.ReasonSuppressed)
	at("full", old, delivery.StatusSkipped, delivery.ReasonHeldFull)
	at("flood", old, delivery.StatusSkipped, delivery.ReasonBrowserFlood)
	at("removed", old, delivery.StatusSkipped, delivery.ReasonSourceRemoved)
	at("unrouted", old, delivery.StatusSkipped, delivery.ReasonNotRouted)
	at("replayed", old, delivery.StatusWaiting, delivery.ReasonReplayed)
	at("identities", old, delivery.StatusWaiting, delivery.ReasonIdentities)
	at("locked", old, delivery.StatusWaiting, delivery.ReasonLocked)
	loaded("untold", old)
	loaded("queued", now.Add(-time.Second))
	loaded("earlier", started.Add(-time.Hour))
	at("no-address", old, delivery.StatusDelivered, delivery.ReasonDelivered)
	at("first", old, delivery.StatusDelivered, delivery.ReasonDelivered, call(`{"a":1}`))
	at("second", old.Add(time.Minute), delivery.StatusDelivered, delivery.ReasonDelivered, call(`{"a":1}`))
	for i := range reports { // the same person's, and settled one after the other
		if id := reports[i].MessageID; id == "first" || id == "second" {
			reports[i].UserID = "twins"
		}
	}
	if err := f.loader.WriteReports(t.Context(), reports); err != nil {
		t.Fatal(err)
	}
	f.wantVerdicts(want)

	state(delivery.Standing{Destination: "vero"}, now)
	f.wantVerdicts(map[string]string{"queued": "on_its_way"})
	for reason, code := range map[delivery.Reason]string{
		delivery.ReasonUnreachable: "paused_unreachable", delivery.ReasonServerError: "paused_server_error",
		delivery.ReasonPrivateAddress: "paused_private_address", delivery.ReasonSuppressions: "paused_suppressions_unknown",
		delivery.ReasonStopping: "paused",
	} {
		state(delivery.Standing{Destination: "vero", PausedSince: now.Add(-time.Hour), Reason: reason, Detail: reason.Sentence(), BehindSince: old}, now)
		f.wantVerdicts(map[string]string{"queued": code, "replayed": code})
	}
	state(vero, now.Add(-2*silentAfter))
	f.wantVerdicts(map[string]string{"queued": "bridge_silent"})

	// Once Vero has reported any email, that there is none means something.
	f.load("vero", old, `{"type":"track","event":"Email Sent","messageId":"e1","userId":"other","properties":{"campaign_id":1,"email_id":"x"}}`)
	f.wantVerdicts(map[string]string{"first": "no_email"})
}

func (f *fixture) wantVerdicts(want map[string]string) {
	f.t.Helper()
	for id, code := range want {
		stories, err := f.Event(f.t.Context(), id)
		if err != nil {
			f.t.Fatal(err)
		}
		if len(stories) != 1 || stories[0].Verdict.Code != code {
			var got []Verdict
			for _, s := range stories {
				got = append(got, s.Verdict)
			}
			f.t.Errorf("%s: %+v, want %s", id, got, code)
		}
	}
}

// What else is not well is said beside the verdict.
func TestNotes(t *testing.T) {
	t.Parallel()
	f := open(t)
	now := time.Now().UTC()
	f.load("app", now, `{"type":"track","event":"Sized","messageId":"s1","userId":"1","properties":{"size":1}}`)
	f.load("app", now, `{"type":"track","event":"Sized","messageId":"s2","userId":"1","properties":{"size":"large"}}`)
	report := delivery.Report{
		Source: "app", MessageID: "s2", Destination: "warehouse", Type: event.Track, Event: "Sized", UserID: "1",
		Status: delivery.StatusDelivered, Reason: delivery.ReasonDelivered, ReceivedAt: now.Add(-time.Hour), SettledAt: now,
	}
	dead := report
	dead.Destination, dead.Status, dead.Reason, dead.Detail = "posthog", delivery.StatusDead, delivery.ReasonBadRequest, "400"
	sent := report
	sent.Destination = "vero"
	f.exec(`insert into verobridge.destinations values ('vero', 'vero', 'running', null, null, now(), null, now(), 0, 0, now())`)
	if err := f.loader.WriteReports(t.Context(), []delivery.Report{report, dead, sent}); err != nil {
		t.Fatal(err)
	}
	stories, err := f.Event(t.Context(), "s2")
	if err != nil || len(stories) != 1 {
		t.Fatalf("%d stories, %v", len(stories), err)
	}
	got := make(map[string]string)
	for _, note := range stories[0].Notes {
		got[note.Code] = note.Where
	}
	for code, where := range map[string]string{"dead_bad_request": "posthog", "loaded_late": "vero", "values_set_aside": "vero"} {
		if got[code] != where {
			t.Errorf("%s is said of %q, want %q; all: %v", code, got[code], where, got)
		}
	}
	if tables := fmt.Sprint(stories[0].Tables); tables != "[app.tracks app.sized]" {
		t.Errorf("tables: %s", tables)
	}
}
