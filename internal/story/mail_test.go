package story

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

// noon is when the events of these tests are received: within a second, so that
// what Vero reports in whole seconds seems to be earlier.
var noon = time.Date(2026, 6, 6, 12, 0, 0, 965e6, time.UTC)

// post reports an event as delivered to the warehouse and to Vero, which got it
// later by a call of a name.
func (f *fixture) post(id, user, name, called string, received time.Time, later time.Duration) {
	f.t.Helper()
	f.exec(`insert into verobridge.destinations values ('vero', 'vero', 'running', null, null, now(), null, now(), 0, 0, now()) on conflict do nothing`)
	inWarehouse := delivery.Report{
		Source: "app", MessageID: id, Destination: "warehouse", Type: event.Track, Event: name, UserID: user, Attempts: 1,
		Status: delivery.StatusDelivered, Reason: delivery.ReasonDelivered, ReceivedAt: received, SettledAt: received.Add(time.Second),
	}
	inVero := inWarehouse
	inVero.Destination, inVero.SettledAt = "vero", received.Add(later).Add(50*time.Millisecond)
	inVero.Calls = []delivery.Call{{
		Method: "POST", URL: "https://api.getvero.com/api/v2/events/track", Status: 200, At: received.Add(later),
		Request: fmt.Appendf(nil, `{"identity":{"id":%q,"email":"%s@example.com"},"event_name":%q}`, user, user, called),
	}}
	if err := f.loader.WriteReports(f.t.Context(), []delivery.Report{inWarehouse, inVero}); err != nil {
		f.t.Fatal(err)
	}
}

// mail loads what Vero reports of an email, in whole seconds as it does.
func (f *fixture) mail(what, user, email, trigger, kind string, at time.Time) {
	f.t.Helper()
	call, err := json.Marshal(map[string]any{
		"type": "track", "event": what, "messageId": email + what, "userId": user, "timestamp": at.Truncate(time.Second),
		"context":    map[string]any{"traits": map[string]any{"email": user + "@example.com"}},
		"properties": map[string]any{"email_id": email, "campaign_id": 7, "trigger_event": trigger, "email_type": kind},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.load("vero", at, string(call))
}

// Which emails are an event's work is told by the name that Vero knows it by, and
// by when Vero got it.
func TestEmailsOfAnEvent(t *testing.T) {
	t.Parallel()
	f := open(t)
	const kind = "transactional"

	f.post("renamed", "1", "Order Completed", "completed order", noon, 0)
	f.mail("Email Sent", "1", "e1", "completed order", kind, noon.Add(10*time.Second))

	// Its email and what came of it within the second that Vero leaves out.
	f.post("prompt", "2", "E", "E", noon, 0)
	f.mail("Email Sent", "2", "e2", "e", kind, noon.Add(15*time.Millisecond))
	f.mail("Email Bounced", "2", "e2", "e", kind, noon.Add(20*time.Millisecond))
	f.post("prompt-unsubscribed", "3", "E", "E", noon, 0)
	f.mail("Email Unsubscribed", "3", "e3", "e", kind, noon.Add(15*time.Millisecond))

	// What kept its email back happened while it waited.
	f.post("retried", "4", "E", "E", noon, 3*time.Hour)
	f.mail("Email Sent", "4", "e4", "other", kind, noon.Add(time.Hour))
	f.mail("Email Bounced", "4", "e4", "other", kind, noon.Add(time.Hour))
	f.post("retried-and-mailed", "5", "E", "E", noon, 40*24*time.Hour)
	f.mail("Email Sent", "5", "e5", "e", kind, noon.Add(40*24*time.Hour+time.Minute))

	// An email without a trigger is of the latest event before it.
	f.post("earlier", "6", "E", "E", noon, 0)
	f.post("latest", "6", "F", "F", noon.Add(time.Hour), 0)
	f.mail("Email Sent", "6", "e6", "", "", noon.Add(2*time.Hour))
	f.post("later", "6", "G", "G", noon.Add(3*time.Hour), 0)
	f.post("broadcast", "7", "E", "E", noon, 0)
	f.mail("Email Sent", "7", "e7", "", "newsletter", noon.Add(time.Hour))

	f.wantVerdicts(map[string]string{
		"renamed": "sent_not_delivered", "prompt": "bounced", "prompt-unsubscribed": "unsubscribed_by_it",
		"retried": "bounced_before", "retried-and-mailed": "sent_not_delivered",
		"earlier": "no_email", "latest": "sent_not_delivered", "later": "no_email", "broadcast": "no_email",
	})
	stories, err := f.Event(t.Context(), "renamed")
	if err != nil {
		t.Fatal(err)
	}
	routed := make(map[string]bool)
	for _, p := range stories[0].Places {
		routed[p.Destination] = p.Routed
	}
	if diff := cmp.Diff(map[string]bool{"warehouse": true, "vero": false}, routed); diff != "" {
		t.Errorf("places that its source names (-want +got):\n%s", diff)
	}
}

// What is known of a person does not hang on the words that the question is put
// in, nor on the page.
func TestPerson(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.post("e", "1", "E", "E", noon, 0)
	for _, what := range []string{"Email Link Clicked", "Email Opened", "Email Delivered", "Email Sent"} {
		f.mail(what, "1", "m", "e", "", noon.Add(time.Second))
	}
	f.load("app", noon, `{"type":"identify","messageId":"i2","userId":"2","traits":{"email":"New@example.com"}}`)
	f.mail("Email Bounced", "2", "m2", "", "", noon) // to 2@example.com
	f.mail("Email Unsubscribed", "3", "m3", "", "", noon)
	f.load("vero", noon.Add(time.Hour), `{"type":"track","event":"Email Resubscribed","messageId":"r3","anonymousId":"3@example.com","context":{"traits":{"email":"3@example.com"}}}`)
	f.exec(`insert into verobridge.rejected_events (id, source, received_at, reason, detail, body, user_id)
		select 'r' || n, 'app', $1, 'no_event_name', 'no name', '{}', '4' from generate_series(1, 12) n`, noon)

	for id, code := range map[string]string{
		"1@example.com": "person_reachable", "1": "person_reachable", "2": "person_reachable", "3": "person_reachable",
		"a\x00": Nobody, "\xff": Nobody,
	} {
		if got, err := f.Person(t.Context(), id, 20, Cursor{}); err != nil || got.Verdict.Code != code {
			t.Errorf("%q: %+v, %v; want %s", id, got.Verdict, err, code)
		}
	}
	if stories, err := f.Event(t.Context(), "e\x00"); err != nil || len(stories) > 0 {
		t.Errorf("an id that Postgres cannot have: %v, %v", stories, err)
	}
	// A bounce does not hide a dead letter, nor does a page without it.
	f.post("late", "5", "E", "E", noon, 0)
	f.post("lost", "5", "E", "E", noon.Add(-time.Hour), 0)
	f.exec(`update verobridge.deliveries set status = 'dead', reason = 'bad_request', detail = 'no' where message_id = 'lost' and destination = 'vero'`)
	got, err := f.Person(t.Context(), "5", 1, Cursor{})
	if v := got.Verdict; err != nil || v.Code != "person_needs_you" || !strings.Contains(v.Detail, "lost at vero") {
		t.Errorf("%+v, %v; want the dead letter named", v, err)
	}
	f.mail("Email Bounced", "5", "m5", "", "", noon)
	got, err = f.Person(t.Context(), "5", 1, Cursor{})
	if err != nil || got.Verdict.Code != "person_bouncing" || len(got.Notes) != 1 || got.Notes[0].Code != "dead_bad_request" {
		t.Errorf("%+v, %+v, %v; want the bounce, and the dead letter beside it", got.Verdict, got.Notes, err)
	}
	follow := func(id string, limit int) (seen []string) {
		var after Cursor
		for {
			page, err := f.Person(t.Context(), id, limit, after)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Entries {
				seen = append(seen, e.What+" "+e.ID)
			}
			if page.Next == nil || len(seen) > 50 {
				return seen
			}
			after = *page.Next
		}
	}
	want := []string{"email_clicked mEmail Link Clicked", "email_opened mEmail Opened", "email_delivered mEmail Delivered", "email_sent mEmail Sent", "event e"}
	for _, id := range []string{"1", "1@example.com"} {
		if diff := cmp.Diff(want, follow(id, 1)); diff != "" {
			t.Errorf("timeline of %s (-want +got):\n%s", id, diff)
		}
	}
	if seen := follow("4", 5); len(seen) != 12 || len(unique(seen)) != 12 {
		t.Errorf("rejected calls: %v, want each of 12 once", seen)
	}
}
