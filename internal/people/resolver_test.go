package people_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/localpg"
	"github.com/verobridge/verobridge/internal/mockvero"
)

// A visitor is a user from the call on that says so, of the source that says so,
// and of the last one that does.
func TestVisitorsAreWhoTheyLastSaid(t *testing.T) {
	t.Parallel()
	f := open(t, prepared(t))
	clicked := func(minutes int, source, id string) event.Event {
		return from(t, source, minutes, `{"type":"track","messageId":"`+id+`","anonymousId":"a1","event":"Clicked"}`)
	}
	outcomes := f.fates(
		clicked(0, "app", "before"),
		identify(t, 1, "u1", "a1"),
		clicked(2, "app", "as-u1"),
		clicked(2, "other", "elsewhere"),
		identify(t, 3, "u2", "a1"),
		clicked(4, "app", "as-u2"),
	)
	for i, want := range []delivery.Reason{"no_identity", "delivered", "delivered", "no_identity", "delivered", "delivered"} {
		if outcomes[i].Reason() != want {
			t.Errorf("event %d: %s, want %s", i, outcomes[i].Detail(), want)
		}
	}
	if diff := cmp.Diff([][]string{{"as-u1"}, {"as-u2"}}, [][]string{f.sent("u1"), f.sent("u2")}); diff != "" {
		t.Errorf("events at Vero (-want +got):\n%s", diff)
	}
}

// The table says who visitors are whom the program has not seen since its start,
// for what was received after the link.
func TestVisitorsAreLookedUp(t *testing.T) {
	t.Parallel()
	url := prepared(t)
	f := open(t, url)
	f.recorder.Deliver(t.Context(), []event.Event{identify(t, 5, "u1", "a1")})
	f.want(f.fates(at(t, 6, `{"type":"track","messageId":"after","anonymousId":"a1","event":"Clicked"}`))[0], delivery.StatusDelivered, delivery.ReasonDelivered)
	f.want(f.fates(at(t, 4, `{"type":"track","messageId":"before","anonymousId":"a1","event":"Clicked"}`))[0], delivery.StatusSkipped, delivery.ReasonNoIdentity)
	// Before the warehouse has caught up, that nobody is there says nothing.
	f.caughtUp = false
	unknown := at(t, 6, `{"type":"track","messageId":"unknown","anonymousId":"a2","event":"Clicked"}`)
	if o := f.fates(unknown)[0]; !o.Aside() || o.Reason() != delivery.ReasonIdentities {
		t.Errorf("%s, want it to wait aside", o.Detail())
	}
	f.caughtUp = true
	f.want(f.fates(unknown)[0], delivery.StatusSkipped, delivery.ReasonNoIdentity)
}

// The last call wins in the table too, whenever it is loaded.
func TestLinksAreRecorded(t *testing.T) {
	t.Parallel()
	url := prepared(t)
	f := open(t, url)
	load := func(events ...event.Event) {
		for i, o := range f.recorder.Deliver(t.Context(), events) {
			if o.Status() != delivery.StatusDelivered {
				t.Fatalf("%s: %s", events[i].ID, o.Detail())
			}
		}
	}
	load(identify(t, 1, "u1", "a1"), identify(t, 2, "u1", "a1"), identify(t, 5, "u2", "a2"),
		at(t, 3, `{"type":"alias","userId":"u3","previousId":"a3"}`),
		at(t, 3, `{"type":"track","userId":"u4","anonymousId":"a4","event":"Clicked"}`))
	load(identify(t, 4, "u1", "a2")) // late
	load(identify(t, 6, "u9", "a1"), from(t, "other", 7, `{"type":"identify","userId":"u7","anonymousId":"a1"}`))
	want := []string{"app a1 u9 12:06", "app a2 u2 12:05", "app a3 u3 12:03", "other a1 u7 12:07"}
	got := selects(t, url, `
		select concat_ws(' ', source, anonymous_id, user_id, to_char(linked_at at time zone 'UTC', 'HH24:MI'))
		from verobridge.identities order by 1`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	selects(t, url, `with gone as (delete from verobridge.identities returning source) select * from gone`)
	f.reopen(url)
	selects(t, url, `do $$ begin alter table verobridge.identities rename to elsewhere; end $$`)
	o := f.recorder.Deliver(t.Context(), []event.Event{identify(t, 8, "u1", "a1"), at(t, 8, `{"type":"track","userId":"u1","event":"Clicked"}`)})
	f.want(o[0], delivery.StatusWaiting, delivery.ReasonIdentities)
	f.want(o[1], delivery.StatusDelivered, delivery.ReasonDelivered)
}

// What nobody identifies in time is given up, once.
func TestHeldEventsExpire(t *testing.T) {
	t.Parallel()
	url := prepared(t)
	f := open(t, url)
	f.want(f.fates(cart(t, 0, "a1"))[0], delivery.StatusHeld, delivery.ReasonHeld)
	f.want(f.fates(cart(t, 60, "a2"))[0], delivery.StatusHeld, delivery.ReasonHeld)
	sweep := func() []delivery.Resolved {
		list, err := f.resolver.Sweep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if got := sweep(); got != nil {
		t.Fatalf("given up at once: %v", resolved(got))
	}
	f.clock.advance(30*24*time.Hour + time.Minute)
	gone := sweep()
	if diff := cmp.Diff([]string{"cart-a1-0 held_expired"}, resolved(gone)); diff != "" {
		t.Errorf("given up (-want +got):\n%s", diff)
	}
	if got := sweep(); got != nil {
		t.Errorf("given up twice: %v", resolved(got))
	}
	f.report(gone)
	if diff := cmp.Diff([]string{"cart-a2-60"}, selects(t, url, "select message_id from verobridge.held_events")); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// A program that stops after the calls and before they are settled makes them
// again, with the same bytes, which Vero takes for one.
func TestReleaseAfterACrash(t *testing.T) {
	t.Parallel()
	url := prepared(t)
	f := open(t, url)
	f.fates(cart(t, 0, "a1"), cart(t, 1, "a1"))
	who := identify(t, 2, "u1", "a1")
	first := f.fates(who)[0]
	f.reopen(url)
	again := f.fates(who)[0]
	want := []string{"cart-a1-0 delivered", "cart-a1-1 delivered"}
	if diff := cmp.Diff([][]string{want, want}, [][]string{resolved(first.Resolved()), resolved(again.Resolved())}); diff != "" {
		t.Errorf("released (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"cart-a1-0", "cart-a1-1"}, f.sent("u1")); diff != "" {
		t.Errorf("events at Vero (-want +got):\n%s", diff)
	}
	// Until the rows are gone nothing is released again, and then there is nothing.
	if o := f.fates(identify(t, 3, "u1", "a1"))[0]; o.Resolved() != nil {
		t.Errorf("released again: %v", resolved(o.Resolved()))
	}
	f.report(again.Resolved())
	if left := selects(t, url, "select message_id from verobridge.held_events"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Before the reports of an earlier run are written nothing is released, or it
// might be a second time; the call that identifies does not wait for it.
func TestReleaseWaitsForReports(t *testing.T) {
	t.Parallel()
	f := open(t, prepared(t))
	f.fates(cart(t, 0, "a1"))
	f.caughtUp = false
	f.want(f.fates(identify(t, 1, "u1", "a1"))[0], delivery.StatusDelivered, delivery.ReasonDelivered)
	if list, err := f.resolver.Sweep(t.Context()); err != nil || list != nil {
		t.Errorf("%v, %v before it has caught up", resolved(list), err)
	}
	f.caughtUp = true
	list, err := f.resolver.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cart-a1-0 delivered"}, resolved(list)); diff != "" {
		t.Errorf("released (-want +got):\n%s", diff)
	}
}

// What is owed to a visitor when the program stops is released after the next
// start, once it is known that the call that identifies was delivered.
func TestReleaseIsOwedAcrossARestart(t *testing.T) {
	t.Parallel()
	url := prepared(t)
	f := open(t, url)
	f.fates(cart(t, 0, "a1"))
	f.caughtUp = false
	who := identify(t, 1, "u1", "a1")
	outcome := f.fates(who)[0]
	f.want(outcome, delivery.StatusDelivered, delivery.ReasonDelivered)
	f.want(f.recorder.Deliver(t.Context(), []event.Event{who})[0], delivery.StatusDelivered, delivery.ReasonDelivered)
	f.reopen(url)
	f.caughtUp = true
	if list, err := f.resolver.Sweep(t.Context()); err != nil || list != nil {
		t.Errorf("%v, %v before the call is known to be delivered", resolved(list), err)
	}
	f.report([]delivery.Resolved{{Event: who, Outcome: outcome}})
	list, err := f.resolver.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cart-a1-0 delivered"}, resolved(list)); diff != "" {
		t.Errorf("released (-want +got):\n%s", diff)
	}
}

// A call that Vero refuses makes nobody known: the events wait for the next.
func TestRefusedCallsReleaseNothing(t *testing.T) {
	t.Parallel()
	f := open(t, prepared(t))
	f.fates(cart(t, 0, "a1"))
	f.mock.Fault(mockvero.Fault{Status: http.StatusBadRequest})
	if o := f.fates(identify(t, 1, "u1", "a1"))[0]; o.Status() != delivery.StatusDead || o.Resolved() != nil {
		t.Errorf("%s, with %v", o.Detail(), resolved(o.Resolved()))
	}
	o := f.fates(identify(t, 2, "u1", "a1"))[0]
	if diff := cmp.Diff([]string{"cart-a1-0 delivered"}, resolved(o.Resolved())); diff != "" {
		t.Errorf("released (-want +got):\n%s", diff)
	}
}

// A released event of which nobody knows whether it arrived puts its call in
// doubt: it is repeated soon, or left to people.
func TestReleaseInDoubt(t *testing.T) {
	t.Parallel()
	f := open(t, prepared(t))
	f.fates(cart(t, 0, "a1"))
	f.mock.Fault(mockvero.Fault{Reset: true, Match: `"cart-a1-0"`, Count: -1})
	o := f.fates(identify(t, 1, "u1", "a1"))[0]
	f.want(o, delivery.StatusWaiting, delivery.ReasonUnanswered)
	if o.Doubt() == 0 {
		t.Fatal("the call is not in doubt")
	}
	f.mock.ClearFaults()
	f.clock.advance(time.Hour)
	o = f.fates(identify(t, 60, "u1", "a1"))[0]
	if diff := cmp.Diff([]string{"cart-a1-0 ambiguous"}, resolved(o.Resolved())); diff != "" {
		t.Errorf("resolved (-want +got):\n%s", diff)
	}
}

// A visitor cannot fill the table.
func TestHoldingIsBounded(t *testing.T) {
	t.Parallel()
	f := open(t, prepared(t))
	var carts []event.Event
	for n := range 101 {
		carts = append(carts, cart(t, n, "a1"))
	}
	outcomes := f.fates(append(carts, cart(t, 0, "a2"))...)
	for i, o := range outcomes {
		if wantFull := i == 100; wantFull != (o.Reason() == delivery.ReasonHeldFull) {
			t.Errorf("event %d: %s", i, o.Detail())
		}
	}
	if o := f.fates(identify(t, 200, "u1", "a1"))[0]; len(o.Resolved()) != 100 {
		t.Errorf("%d events are released, want 100: %s", len(o.Resolved()), o.Detail())
	}
}

// While Postgres is down whoever is known goes on, and what nobody can decide
// waits alone. When it is back the held events follow.
func TestWhilePostgresIsDown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func() *localpg.Server {
		server, err := localpg.Start(t.Context(), localpg.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return server
	}
	stop := func(server *localpg.Server) {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	postgres := run()
	f := open(t, postgres.URL())
	if err := f.loader.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.want(f.fates(cart(t, 0, "a1"))[0], delivery.StatusHeld, delivery.ReasonHeld)
	stop(postgres)

	late := cart(t, 1, "a2")
	o := f.fates(
		late,
		identify(t, 2, "u1", "a1"),
		identify(t, 2, "u2", "a2"),
		at(t, 3, `{"type":"track","messageId":"known","userId":"u2","anonymousId":"a2","event":"Clicked"}`),
		at(t, 3, `{"type":"track","messageId":"linked","anonymousId":"a1","event":"Clicked"}`),
	)
	if !o[0].Aside() || o[0].Reason() != delivery.ReasonIdentities {
		t.Errorf("the event of an unknown visitor: %s", o[0].Detail())
	}
	for _, o := range o[1:] {
		f.want(o, delivery.StatusDelivered, delivery.ReasonDelivered)
	}
	postgres = run()
	t.Cleanup(func() { stop(postgres) })
	f.clock.advance(time.Minute)
	f.want(f.fates(late)[0], delivery.StatusDelivered, delivery.ReasonDelivered)
	list, err := f.resolver.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cart-a1-0 delivered"}, resolved(list)); diff != "" {
		t.Errorf("released (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"linked", "cart-a1-0"}, {"known", "cart-a2-1"}}, [][]string{f.sent("u1"), f.sent("u2")}); diff != "" {
		t.Errorf("events at Vero (-want +got):\n%s", diff)
	}
}
