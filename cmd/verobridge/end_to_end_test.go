package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	analytics "github.com/segmentio/analytics-go/v3"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// shopping is one call of each type, and the cases that matter most: a person
// known by address alone, one who is not known at all, an event that Vero must
// not get, and one of Vero's own.
func shopping() []analytics.Message {
	at := time.Date(2026, 6, 6, 10, 15, 30, 0, time.UTC)
	known := &analytics.Context{Traits: analytics.Traits{"email": "jane@example.com"}, Locale: "en-GB"}
	return []analytics.Message{
		analytics.Identify{
			MessageId: "m-identify", UserId: "1000", AnonymousId: "anon-1", Timestamp: at, Context: known,
			Traits: analytics.Traits{"email": "jane@example.com", "first_name": "Jane", "plan": "pro", "address": map[string]any{"city": "Leeds"}},
		},
		analytics.Track{
			MessageId: "m-track", UserId: "1000", Event: "Product Viewed", Timestamp: at, Context: known,
			Properties: analytics.Properties{"product_id": "SKU-123", "name": "Red T-shirt", "price": 29.99, "url": "https://shop.example.com/p/red", "tags": []string{"a", "b"}},
		},
		analytics.Page{
			MessageId: "m-page", UserId: "1000", Name: "Home", Timestamp: at, Context: known,
			Properties: analytics.Properties{"url": "https://shop.example.com/", "path": "/", "title": "Shop"},
		},
		analytics.Screen{MessageId: "m-screen", UserId: "1000", Name: "Orders", Timestamp: at, Properties: analytics.Properties{"build": 7}},
		analytics.Group{MessageId: "m-group", UserId: "1000", GroupId: "g-1", Timestamp: at, Traits: analytics.Traits{"name": "Acme", "seats": 12}},
		analytics.Alias{MessageId: "m-alias", UserId: "1000", PreviousId: "old-1000", Timestamp: at},
		analytics.Track{
			MessageId: "m-guest", AnonymousId: "anon-2", Event: "Newsletter Joined", Timestamp: at,
			Context: &analytics.Context{Traits: analytics.Traits{"email": "guest@example.com"}},
		},
		analytics.Track{
			MessageId: "m-stranger", AnonymousId: "anon-3", Event: "Product Viewed", Timestamp: at,
			Properties: analytics.Properties{"email": "not-the-visitor@example.com"},
		},
		analytics.Track{
			MessageId: "m-not-vero", UserId: "1000", Event: "Order Completed", Timestamp: at,
			Properties:   analytics.Properties{"order_id": "o-1", "total": 29.99},
			Integrations: analytics.NewIntegrations().EnableAll().Disable("Vero"),
		},
		analytics.Track{
			MessageId: "m-echo", UserId: "1000", Event: "Email Opened", Timestamp: at,
			Context: &analytics.Context{Extra: map[string]any{"integration": map[string]any{"name": "vero"}}},
		},
	}
}

// send sends calls with the real client and waits until each is acknowledged.
func (w *world) send(t *testing.T, messages []analytics.Message) {
	t.Helper()
	acknowledged := make(acknowledgements, len(messages))
	client, err := analytics.NewWithConfig(appKey, analytics.Config{
		Endpoint:  w.url,
		BatchSize: len(messages),
		Callback:  acknowledged,
		Logger:    sdkLog{slog.New(slog.NewTextHandler(t.Output(), nil))},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if err := client.Enqueue(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	for range messages {
		select {
		case err := <-acknowledged:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(deadline):
			t.Fatal("the client got no answer")
		}
	}
}

// acknowledgements is analytics-go's callback for the fate of each message.
type acknowledgements chan error

func (a acknowledgements) Success(analytics.Message) { a <- nil }
func (a acknowledgements) Failure(_ analytics.Message, err error) {
	a <- errors.Join(errors.New("the client gave up"), err)
}

// receive plays what Vero sends back: every webhook sample one by one, some
// again as an array, and the seven collections as Segment calls, once by user
// id and once by address alone.
func (w *world) receive(t *testing.T) {
	t.Helper()
	samples, err := filepath.Glob("../../ingest/testdata/vero/hook.*.json")
	if err != nil || len(samples) < 20 {
		t.Fatalf("%d webhook samples, %v", len(samples), err)
	}
	var bodies [][]byte
	for _, sample := range samples {
		body, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		w.post(t, "/webhooks/vero/"+veroKey, "", body)
		bodies = append(bodies, body)
	}
	w.post(t, "/webhooks/vero/"+veroKey, "", []byte("["+string(bodies[0])+","+string(bodies[1])+"]"))

	for i, collection := range collections {
		call := map[string]any{
			"type": "track", "messageId": "v-" + collection, "userId": "123", "event": collection,
			"timestamp":  "2026-06-06T10:20:00.000Z",
			"context":    map[string]any{"integration": map[string]any{"name": "vero", "version": "1.0.0"}, "traits": map[string]any{"email": "jane@example.com"}},
			"properties": map[string]any{"campaign_id": json.Number("1235666234572456"), "campaign_name": "Welcome", "email_id": 55501 + i, "email_subject": "Hello"},
		}
		w.postCall(t, call)
		delete(call, "userId")
		call["messageId"], call["anonymousId"] = "a-"+collection, "jane@example.com"
		w.postCall(t, call)
	}
}

func (w *world) postCall(t *testing.T, call map[string]any) {
	t.Helper()
	body, err := json.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	w.post(t, "/v1/track", veroKey, body)
}

// collections are the email events of Vero's Segment source.
var collections = []string{
	"Email Sent", "Email Delivered", "Email Opened", "Email Link Clicked",
	"Email Unsubscribed", "Email Bounced", "Email Marked as Spam",
}

// The main job, with everything real but Vero: calls of the official client
// become exact Vero requests and exact rows, email events become exact rows,
// and all of it again changes nothing.
func TestBothDirectionsEndToEnd(t *testing.T) {
	w := newWorld(t)
	w.send(t, shopping())
	w.receive(t)
	w.settle(t, "first")

	var requests []map[string]any
	for _, call := range w.vero.Calls() {
		if strings.Contains(string(call.Body), "sentinel") {
			continue
		}
		requests = append(requests, map[string]any{"method": call.Method, "path": call.Path, "status": call.Status, "body": call.Body})
	}
	// Different people are served in parallel; the order of one person's calls
	// is what counts.
	slices.SortStableFunc(requests, func(a, b map[string]any) int {
		return strings.Compare(person(a), person(b))
	})
	golden(t, "end_to_end/vero_requests.json", requests)
	first := w.rows(t)
	golden(t, "end_to_end/rows.json", withoutServerTimes(first))
	for _, table := range []string{"email_sent", "email_delivered", "email_opened", "email_link_clicked", "email_unsubscribed", "email_bounced", "email_marked_as_spam"} {
		rows := first["vero."+table]
		byUser := slices.ContainsFunc(rows, func(r map[string]any) bool { return r["user_id"] != nil })
		byAddress := slices.ContainsFunc(rows, func(r map[string]any) bool {
			return r["user_id"] == nil && r["anonymous_id"] == "jane@example.com"
		})
		if !byUser || !byAddress {
			t.Errorf("vero.%s: rows by user id %t, by address %t; want both", table, byUser, byAddress)
		}
	}
	golden(t, "end_to_end/fates.json", w.fates(t))
	effects := w.vero.Effects()

	w.send(t, shopping())
	w.receive(t)
	w.settle(t, "second")
	if diff := cmp.Diff(first, w.rows(t)); diff != "" {
		t.Errorf("rows changed when all of it was sent again (-first +second):\n%s", diff)
	}
	again := w.vero.Effects()
	effects.Totals, again.Totals = mockvero.Totals{}, mockvero.Totals{}
	if diff := cmp.Diff(effects, again); diff != "" {
		t.Errorf("Vero's state changed when all of it was sent again (-first +second):\n%s", diff)
	}
}

// fates returns what became of each of the app's events at each destination.
func (w *world) fates(t *testing.T) []map[string]any {
	t.Helper()
	var fates []map[string]any
	err := w.db.QueryRow(t.Context(), `
		select jsonb_agg(jsonb_build_object('id', message_id, 'destination', destination, 'status', status,
			'reason', reason, 'attempts', attempts, 'calls', jsonb_array_length(coalesce(calls, '[]')))
			order by message_id, destination)
		from verobridge.deliveries
		where source = 'app' and message_id like 'm-%'`).Scan(&fates)
	if err != nil {
		t.Fatal(err)
	}
	return fates
}

// person names who a request to Vero is about.
func person(request map[string]any) string {
	var body struct {
		ID       string
		NewID    string `json:"new_id"`
		Identity struct{ ID string }
	}
	if err := json.Unmarshal(request["body"].(json.RawMessage), &body); err != nil {
		return ""
	}
	return body.NewID + body.Identity.ID + map[bool]string{true: body.ID}[body.NewID == ""]
}
