package main

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A person's product events, Vero's calls and the emails stand in one timeline, and
// the page of an event says what became of it, whatever its name and ids hold.
func TestConsoleTellsStories(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const markup, id = `<script>alert(1)</script>`, `id/with "signs" & <b>`
	call, err := json.Marshal(map[string]any{"messageId": id, "userId": "u<1>", "event": markup, "context": map[string]any{"library": map[string]any{"name": "analytics-node", "version": "2.1.0"}}})
	if err != nil {
		t.Fatal(err)
	}
	w.post(t, "/v1/identify", appKey, []byte(`{"messageId":"who","userId":"u<1>","anonymousId":"visitor-1","traits":{"email":"Jane@Example.com"}}`))
	w.post(t, "/v1/track", appKey, call)
	hook, err := json.Marshal(map[string]any{
		"type": "opened", "opened_at": time.Now().Unix() + 5, "message_id": "e1", "user_agent": "Mozilla/5.0 (X11)",
		"user": map[string]any{"id": "u<1>", "email": "jane@example.com"}, "campaign": map[string]any{"id": 7, "name": markup + " mail"},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.post(t, "/webhooks/vero/"+veroKey, "", hook)
	w.await(t, "the deliveries", `select count(*) = 4 from verobridge.deliveries where source = 'app'`)
	w.await(t, "the email", `select count(*) = 1 from vero.email_opened`)
	w.await(t, "the link", `select count(*) = 1 from verobridge.identities`)

	for _, who := range []string{"u<1>", "jane@example.com", "visitor-1"} {
		text := w.wantPage(t, "/person?id="+url.QueryEscape(who), nil,
			"jane@example.com", "visitor-1", "u&lt;1&gt;", html.EscapeString(markup), "opened", "delivered")
		if strings.Contains(text, markup) {
			t.Errorf("markup in the timeline of %s", who)
		}
	}
	event := w.wantPage(t, "/event?source=app&id="+url.QueryEscape(id), nil,
		html.EscapeString(markup), "analytics-node 2.1.0", "/events/track", "Answer <strong>200</strong>", "app.tracks", "opened")
	if strings.Contains(event, markup) || strings.Contains(event, "<b>") {
		t.Error("markup on the event's page")
	}
	w.wantPage(t, "/event?id="+url.QueryEscape(id), nil, "app.tracks")
	w.wantPage(t, "/person?id="+url.QueryEscape(id), nil, "An event has this messageId")
	w.wantPage(t, "/person", nil, "Search for a person")
	w.wantPage(t, "/person?id=stranger", nil, "Nobody is known by this")
	if status, text := w.page(t, "/event?source=app&id=none", nil); status != http.StatusNotFound || !strings.Contains(text, "Nothing is known of this event") {
		t.Errorf("an event that is not there: %d %s", status, text)
	}
	if status, _ := w.page(t, "/person?id=u&after=nonsense", nil); status != http.StatusBadRequest {
		t.Errorf("a place that is none: %d", status)
	}
}

// A long timeline comes in pages, each entry once, though many events were received
// at the same moment.
func TestConsolePagesATimeline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const events = 2*50 + 20
	var batch []string
	for i := range events {
		batch = append(batch, fmt.Sprintf(`{"type":"track","messageId":"m-%03d","userId":"long","event":"Event %03d"}`, i, i))
	}
	w.post(t, "/v1/batch", appKey, []byte(`{"batch":[`+strings.Join(batch, ",")+`]}`))
	w.await(t, "the deliveries", `select count(*) = $1 from verobridge.deliveries where user_id = 'long'`, 2*events)
	path, seen, pages := "/person?id=long", "", 0
	for path != "" {
		text := w.wantPage(t, path, nil, "Timeline")
		seen += text
		if pages++; pages > 10 {
			t.Fatal("the pages do not end")
		}
		_, rest, more := strings.Cut(text, `<a class="button quiet" href="/person`)
		if path = ""; more {
			link, _, _ := strings.Cut(rest, `"`)
			path = "/person" + html.UnescapeString(link)
		}
	}
	for i := range events {
		if n := strings.Count(seen, fmt.Sprintf(">Event %03d<", i)); n != 1 {
			t.Errorf("event %d is there %d times", i, n)
		}
	}
	if pages != 3 {
		t.Errorf("%d pages, want 3", pages)
	}
}
