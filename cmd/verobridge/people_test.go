package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// holdingWorld is one in which Vero gets what carts were viewed by visitors when
// they identify.
func holdingWorld(t *testing.T) *world {
	t.Helper()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(t, serve(t, vero))
	s.Destinations[0].HoldAnonymous = holdSettings{Events: []string{"Cart Viewed"}}
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	return &world{bridge: b, db: connect(t, s.Warehouse.URL), vero: vero, url: "http://" + b.publicAddr}
}

// anonymousCall is a track call of a visitor, a day after the one before it.
func anonymousCall(id, visitor, name string, day int) []byte {
	return fmt.Appendf(nil, `{"messageId":%q,"anonymousId":%q,"event":%q,"timestamp":"2026-05-%02dT08:00:00Z","properties":{"total":12.50}}`,
		id, visitor, name, day)
}

// fate waits until events have a status at Vero.
func (w *world) fate(t *testing.T, status, reason string, ids ...string) {
	t.Helper()
	w.await(t, fmt.Sprintf("%v to be %s", ids, status), `
		select count(*) = cardinality($1::text[]) from verobridge.deliveries
		where destination = 'vero' and message_id = any($1::text[]) and status = $2 and reason = $3`, ids, status, reason)
}

// eventsAtVero lists what a user did, as Vero sees it.
func (w *world) eventsAtVero(user string) []string {
	var list []string
	for _, e := range w.vero.Effects().Users[user].Events {
		held := gjson.GetBytes(e.Data, "verobridge_held").Exists()
		list = append(list, fmt.Sprintf("%s %s %s held=%t", gjson.GetBytes(e.Data, "segment_message_id"), e.Name, e.CreatedAt, held))
	}
	return list
}

// What a visitor did waits until he identifies, and then reaches Vero in order,
// with its own times; what he does without a userId afterwards is his at once.
func TestHeldUntilIdentified(t *testing.T) {
	t.Parallel()
	w := holdingWorld(t)
	for day := range 3 {
		w.post(t, "/v1/track", appKey, anonymousCall(fmt.Sprintf("held-%d", day), "a1", "Cart Viewed", 1+day))
	}
	w.post(t, "/v1/track", appKey, anonymousCall("unlisted", "a1", "Page Left", 4))
	w.post(t, "/v1/track", appKey, anonymousCall("other", "a2", "Cart Viewed", 4))
	w.fate(t, "held", "held_until_identified", "held-0", "held-1", "held-2", "other")
	w.fate(t, "skipped", "no_identity", "unlisted")
	if calls := w.vero.Totals().Calls; calls != 0 {
		t.Fatalf("Vero got %d calls about visitors nobody knows", calls)
	}

	w.post(t, "/v1/identify", appKey, []byte(`{"messageId":"who","userId":"u1","anonymousId":"a1","traits":{"email":"u1@example.com"}}`))
	w.fate(t, "delivered", "delivered", "who", "held-0", "held-1", "held-2")
	w.post(t, "/v1/track", appKey, anonymousCall("later", "a1", "Cart Viewed", 5))
	w.fate(t, "delivered", "delivered", "later")
	want := []string{
		"held-0 Cart Viewed 2026-05-01T08:00:00+0000 held=true",
		"held-1 Cart Viewed 2026-05-02T08:00:00+0000 held=true",
		"held-2 Cart Viewed 2026-05-03T08:00:00+0000 held=true",
		"later Cart Viewed 2026-05-05T08:00:00+0000 held=false",
	}
	if diff := cmp.Diff(want, w.eventsAtVero("u1")); diff != "" {
		t.Errorf("events at Vero (-want +got):\n%s", diff)
	}
	w.await(t, "the rows of what is done to go, and no other", `
		select array_agg(message_id) = array['other'] from verobridge.held_events`)
	w.await(t, "the link", `
		select exists(select from verobridge.identities where source = 'app' and anonymous_id = 'a1' and user_id = 'u1')`)
	w.await(t, "the user in the fate of anonymous events", `
		select count(*) = 4 from verobridge.deliveries where destination = 'vero' and user_id = 'u1' and anonymous_id = 'a1' and type = 'track'`)
}

// An alias call identifies a visitor too, and a batch that holds and identifies
// at once keeps its order.
func TestHeldUntilAlias(t *testing.T) {
	t.Parallel()
	w := holdingWorld(t)
	w.post(t, "/v1/batch", appKey, fmt.Appendf(nil, `{"batch":[
		{"type":"track","messageId":"held-0","anonymousId":"a1","event":"Cart Viewed"},
		{"type":"alias","messageId":"alias","previousId":"a1","userId":"u1","anonymousId":"a1"},
		{"type":"track","messageId":"after","userId":"u1","event":"Bought"},
		{"type":"track","messageId":"anonymous","anonymousId":"a1","event":"Cart Viewed"}]}`))
	w.fate(t, "delivered", "delivered", "held-0", "after", "anonymous")
	var order []string
	for _, e := range w.vero.Effects().Users["u1"].Events {
		order = append(order, messageID(t, e))
	}
	if diff := cmp.Diff([]string{"held-0", "after", "anonymous"}, order); diff != "" {
		t.Errorf("order at Vero (-want +got):\n%s", diff)
	}
}

// While Vero fails on a released event, it and what comes after it wait with the
// call that identified; what was released before it is not sent again.
func TestReleaseGoesOnWhereItFailed(t *testing.T) {
	t.Parallel()
	w := holdingWorld(t)
	for day := range 3 {
		w.post(t, "/v1/track", appKey, anonymousCall(fmt.Sprintf("held-%d", day), "a1", "Cart Viewed", 1+day))
	}
	w.fate(t, "held", "held_until_identified", "held-0", "held-1", "held-2")
	w.vero.Fault(mockvero.Fault{Status: http.StatusInternalServerError, Match: `"held-1"`, Count: 2})
	w.post(t, "/v1/identify", appKey, []byte(`{"messageId":"who","userId":"u1","anonymousId":"a1","traits":{"email":"u1@example.com"}}`))
	w.post(t, "/v1/track", appKey, trackCall("after", "u1"))
	w.fate(t, "delivered", "delivered", "who", "held-0", "held-1", "held-2", "after")
	var order []string
	for _, e := range w.vero.Effects().Users["u1"].Events {
		order = append(order, messageID(t, e))
	}
	if diff := cmp.Diff([]string{"held-0", "held-1", "held-2", "after"}, order); diff != "" {
		t.Errorf("order at Vero (-want +got):\n%s", diff)
	}
}

// A restart between the holding and the release changes nothing.
func TestHeldSurvivesARestart(t *testing.T) {
	t.Parallel()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(t, serve(t, vero))
	s.Destinations[0].HoldAnonymous = holdSettings{Events: []string{"Cart Viewed"}}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	b := startTestBridge(t, s, log)
	w := &world{bridge: b, db: connect(t, s.Warehouse.URL), vero: vero, url: "http://" + b.publicAddr}
	w.post(t, "/v1/track", appKey, anonymousCall("held", "a1", "Cart Viewed", 1))
	w.fate(t, "held", "held_until_identified", "held")
	stopBridge(t, b)
	s.Destinations[0].HoldAnonymous = holdSettings{} // also if nothing is held any more
	b = startTestBridge(t, s, log)
	w.bridge, w.url = b, "http://"+b.publicAddr
	// Before that, the next sweep would release it, within a minute.
	awaitCondition(t, "the reports of the last run to be written", func() bool { return b.spool.CaughtUp(b.loader.Name()) })
	w.post(t, "/v1/identify", appKey, []byte(`{"messageId":"who","userId":"u1","anonymousId":"a1"}`))
	w.fate(t, "delivered", "delivered", "held", "who")
	if got := w.eventsAtVero("u1"); len(got) != 1 {
		t.Errorf("Vero has %v, want the held event", got)
	}
}

// A public key gets no more power by holding: what it may not trigger is not
// held, and the triggers of a person are counted when they are released.
func TestHoldingKeepsBrowserRules(t *testing.T) {
	t.Parallel()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(t, serve(t, vero))
	s.Sources = append(s.Sources, sourceSettings{
		Name: "web", WriteKeys: []string{"public"}, Trust: trustBrowser, Origins: []string{"*"},
		Events: []string{"Cart Viewed"}, TriggersPerHour: 2, Destinations: []string{"vero"},
	})
	s.Destinations[0].HoldAnonymous = holdSettings{Events: []string{"Cart Viewed", "Invoice Sent"}}
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	w := &world{bridge: b, db: connect(t, s.Warehouse.URL), vero: vero, url: "http://" + b.publicAddr}
	for n := range 4 {
		w.post(t, "/v1/track", "public", anonymousCall(fmt.Sprintf("held-%d", n), "a1", "Cart Viewed", 1))
	}
	w.post(t, "/v1/track", "public", anonymousCall("forbidden", "a1", "Invoice Sent", 1))
	w.fate(t, "held", "held_until_identified", "held-0", "held-1", "held-2", "held-3")
	w.fate(t, "skipped", "no_identity", "forbidden")
	// The same id in another source is another visitor.
	w.post(t, "/v1/identify", appKey, []byte(`{"messageId":"elsewhere","userId":"u9","anonymousId":"a1"}`))
	w.fate(t, "delivered", "delivered", "elsewhere")
	w.post(t, "/v1/identify", "public", []byte(`{"messageId":"who","userId":"u1","anonymousId":"a1","traits":{"email":"x@example.com"}}`))
	w.fate(t, "delivered", "delivered", "held-0", "held-1")
	w.fate(t, "skipped", "browser_triggers", "held-2", "held-3")
	if u := w.vero.Effects().Users["u9"]; len(u.Events) != 0 {
		t.Errorf("a person of another source got %v", u.Events)
	}
	if u := w.vero.Effects().Users["u1"]; u.Email != "" {
		t.Errorf("a public key set the address of u1")
	}
	w.await(t, "a link in each source", `
		select array_agg(source || ' ' || user_id order by source) = array['app u9', 'web u1'] from verobridge.identities where anonymous_id = 'a1'`)
}

// Holding what the mapping sends anyway is a mistake that the start names.
func TestHoldingAgainstTheMapping(t *testing.T) {
	t.Parallel()
	s := testSettings(t, "http://127.0.0.1:1")
	s.Destinations[0].HoldAnonymous = holdSettings{Events: []string{"Cart Viewed"}}
	s.Destinations[0].Mapping.ID = []string{"user_id", "anonymous_id"}
	if _, err := startBridge(t.Context(), s, watch(t, s, slog.New(slog.DiscardHandler))); err == nil || !strings.Contains(err.Error(), "hold_anonymous holds nothing") {
		t.Errorf("error %v", err)
	}
}
