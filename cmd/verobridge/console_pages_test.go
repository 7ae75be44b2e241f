package main

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/mockvero"
)

// page asks the console for a page, with a form if there is one, and follows where
// that leads.
func (w *world) page(t testing.TB, path string, form url.Values) (status int, text string) {
	t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.bridge.adminAddr+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// wantPage asks for a page and looks for texts in it.
func (w *world) wantPage(t *testing.T, path string, form url.Values, want ...string) string {
	t.Helper()
	status, text := w.page(t, path, form)
	if status != http.StatusOK {
		t.Errorf("%s: status %d", path, status)
	}
	for _, part := range want {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not show %q:\n%s", path, part, text)
		}
	}
	return text
}

// hiddenFields are the fields of a page's forms that nobody sees.
func hiddenFields(page string) url.Values {
	fields := url.Values{}
	for _, field := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(page, -1) {
		fields.Add(field[1], html.UnescapeString(field[2]))
	}
	return fields
}

// Dead letters are sent again by hand: one that was ticked, then all of a filter.
// Nothing is sent before the reader has seen how many they are.
func TestConsoleSendsDeadLettersAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vero.Fault(mockvero.Fault{Status: http.StatusUnprocessableEntity, Count: -1})
	const markup = `<img src=x onerror=alert(1)>`
	for n := range 3 {
		w.post(t, "/v1/track", appKey, fmt.Appendf(nil, `{"messageId":"refused-%d","userId":"user%d","event":%q}`, n, n, markup))
	}
	w.await(t, "the dead letters", `select count(*) = 3 from verobridge.deliveries where destination = 'vero' and status = 'dead'`)
	w.vero.ClearFaults()

	list := w.wantPage(t, "/deliveries?status=dead&event="+url.QueryEscape(markup), nil, html.EscapeString(markup), "bad_request", "user2")
	if strings.Contains(list, markup) {
		t.Error("the name of an event is markup on the page")
	}
	letter := regexp.MustCompile(`name="letter" value="([^"]+)" aria-label="[^"]*user1 at vero"`).FindStringSubmatch(list)
	if letter == nil {
		t.Fatalf("there is no box to tick for user1:\n%s", list)
	}
	if status, text := w.page(t, "/deliveries/retry", url.Values{"chosen": {"yes"}}); status != http.StatusBadRequest || !strings.Contains(text, "None is chosen") {
		t.Errorf("nothing ticked: %d\n%s", status, text)
	}
	if status, _ := w.page(t, "/deliveries/retry/send", url.Values{}); status != http.StatusBadRequest {
		t.Errorf("sent without having seen how many: %d", status)
	}
	confirm := w.wantPage(t, "/deliveries/retry", url.Values{"letter": letter[1:]}, "1 dead letter of those chosen")
	w.wantPage(t, "/deliveries/retry/send", hiddenFields(confirm), "1 is queued to be sent again")
	w.await(t, "the second delivery", `
		select array_agg(message_id) = '{refused-1}' from verobridge.deliveries where destination = 'vero' and status = 'delivered' and attempts = 2`)

	confirm = w.wantPage(t, "/deliveries/retry?status=dead&person=user2", nil, "1 dead letter of the filter")
	w.wantPage(t, "/deliveries/retry/send", hiddenFields(confirm), "1 is queued")
	w.await(t, "the delivery of user2", `select exists(select from verobridge.deliveries where message_id = 'refused-2' and destination = 'vero' and status = 'delivered')`)
	w.wantPage(t, "/deliveries/retry?message=refused-2", nil, "There is no such dead letter any more")
	w.wantPage(t, "/deliveries/retry?until=2026-01-01T00:00", nil, "There is no such dead letter any more")
	if list := w.mustCommand(t, "dead", "list"); !strings.Contains(list, "refused-0") || strings.Contains(list, "refused-1") || strings.Contains(list, "refused-2") {
		t.Errorf("left are\n%s", list)
	}
}

// What the page says Vero would get is what map prints.
func TestConsoleMaps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.wantPage(t, "/mapping", nil, `<option selected>app</option>`)
	const call = `{"type":"track","messageId":"m1","userId":"7","event":"</textarea><script>alert(1)</script>","timestamp":"2026-06-06T10:15:30Z"}`
	text := w.wantPage(t, "/mapping", url.Values{"calls": {call}, "source": {"app"}, "destination": {"vero"}},
		"/events/track", "segment_message_id", "default", "rudderstack", "the same as now")
	if strings.Contains(text, "<script>alert") {
		t.Error("the name of an event is markup on the page")
	}
	// The presets default and none differ in names, and this one is no Segment name.
	if same := strings.Count(text, "the same as now"); same != 2 {
		t.Errorf("%d presets do the same as now, want 2", same)
	}
	w.wantPage(t, "/mapping", url.Values{"calls": {"{\n  \"type\": track,\n}"}, "source": {"app"}},
		"This is not JSON, at line 2, column 13", "&#34;type&#34;: track,")
	w.wantPage(t, "/mapping", url.Values{"calls": {`{"type":"track","userId":"7"}`}, "source": {"app"}}, "no_event_name", "not accepted")
	w.wantPage(t, "/mapping", url.Values{"calls": {call}, "source": {"vero"}}, "not_routed")
	if status, text := w.page(t, "/mapping", url.Values{"calls": {strings.Repeat("x", 2<<20)}}); status != http.StatusRequestEntityTooLarge {
		t.Errorf("two megabytes: %d\n%s", status, text)
	}

	w.post(t, "/v1/track", appKey, []byte(`{"messageId":"came-1","userId":"7","event":"Came","properties":{"n":9007199254740993}}`))
	w.wantPage(t, "/mapping", nil, `value="came-1"`)
	w.wantPage(t, "/mapping?event=came-1", nil, "9007199254740993", "&#34;event_name&#34;: &#34;Came&#34;")
}

// The numbers of campaigns are those of the analysts' view.
func TestConsoleCountsEmails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.wantPage(t, "/emails", nil, "No emails yet")
	email := func(event, id, user string) json.RawMessage {
		return fmt.Appendf(nil, `{"type":"track","userId":%q,"event":%q,"properties":{"campaign_id":7,"campaign_name":"<b>Welcome</b>","email_id":%q}}`, user, event, id)
	}
	for n := range 5 {
		id, user := fmt.Sprint("e", n), fmt.Sprint("u", n)
		w.post(t, "/v1/track", veroKey, email("Email Sent", id, user))
		w.post(t, "/v1/track", veroKey, email("Email Delivered", id, user))
		if n < 2 {
			w.post(t, "/v1/track", veroKey, email("Email Bounced", id, user))
		}
	}
	w.settle(t, "emails")
	var sent, delivered, bounced int
	if err := w.db.QueryRow(t.Context(), `select sum(sent), sum(delivered), sum(bounced) from email_analytics.funnel`).Scan(&sent, &delivered, &bounced); err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?s)&lt;b&gt;Welcome&lt;/b&gt;</a>.*?<td class="number">(\d+)</td><td class="number">(\d+)</td>.*?` + `<td class="number">(\d+)</td><td class="number">0</td><td class="number">0</td></tr>`)
	var shown []string
	awaitCondition(t, "the emails to be counted", func() bool {
		_, text := w.page(t, "/emails?days=7", nil)
		shown = row.FindStringSubmatch(text)
		return shown != nil
	})
	if got, want := strings.Join(shown[1:], " "), fmt.Sprint(sent, " ", delivered, " ", bounced); got != want || sent != 5 || bounced != 2 {
		t.Errorf("the page shows %s, the view %s", got, want)
	}
}

func TestConsoleShowsTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post(t, "/v1/track", appKey, []byte(`{"userId":"u","event":"Paid","properties":{"installments":3}}`))
	w.await(t, "the first row", `select to_regclass('app.paid') is not null`)
	w.post(t, "/v1/track", appKey, []byte(`{"userId":"u","event":"Paid","properties":{"installments":"<i>three</i>"}}`))
	w.await(t, "the discard", `select count(*) = 1 from app.discards`)
	awaitCondition(t, "the discard to be counted", func() bool {
		_, text := w.page(t, "/tables", nil)
		return strings.Contains(text, "verobridge repair app.paid.installments") && strings.Contains(text, "&lt;i&gt;three&lt;/i&gt;")
	})
}
