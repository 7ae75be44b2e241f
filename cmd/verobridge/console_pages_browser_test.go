package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// mockFault tells dev's mock of Vero to misbehave, with a body, or to stop that.
func (c *consoleTab) mockFault(t *testing.T, method, body string) {
	t.Helper()
	url := strings.TrimSuffix(c.bridge.settings.Destinations[0].URL, "/api/v2") + "/mock/faults"
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s", method, body, answer.Status)
	}
}

// Dead letters are found by a filter, ticked, and sent again when the reader has
// seen how many they are. The keyboard is enough.
func testConsoleDeadLetters(t *testing.T, c *consoleTab) {
	c.mockFault(t, http.MethodPost, `{"status":422,"count":-1,"match":"doomed"}`)
	for _, person := range []string{"doomed-1", "doomed-2", "doomed-3"} {
		c.track(t, person, hostile)
	}
	c.await(t, "the dead letters", `select count(*) = 3 from verobridge.deliveries where user_id like 'doomed-%' and status = 'dead'`)
	c.mockFault(t, http.MethodDelete, "")

	c.open(t, "/deliveries")
	c.do(t, chromedp.SetValue(chromedp.CSS("#status"), "dead"), chromedp.Click(chromedp.CSS(".filters button")))
	c.until(t, `location.search.includes("status=dead") && document.querySelectorAll("tbody input[type=checkbox]").length === 3`)
	c.checkPage(t)
	c.do(t, chromedp.Focus(chromedp.CSS(`input[aria-label*="doomed-2"]`)), chromedp.KeyEvent(" "), chromedp.KeyEvent("\r"))
	c.until(t, `location.pathname === "/deliveries/retry" && document.querySelector("h2")?.textContent.startsWith("1 dead letter")`)
	c.checkPage(t)
	c.do(t, chromedp.Click(chromedp.CSS("[action='/deliveries/retry/send'] button")))
	c.until(t, `document.querySelector("[role=status]")?.textContent.startsWith("1 is queued")`)
	c.await(t, "the second delivery", `
		select count(*) = 1 from verobridge.deliveries where user_id like 'doomed-%' and destination = 'vero' and status = 'delivered' and user_id = 'doomed-2'`)

	c.open(t, "/deliveries?status=dead")
	c.do(t, chromedp.Click(chromedp.CSS("a[href^='/deliveries/retry']")))
	c.until(t, `document.querySelector("h2")?.textContent.startsWith("2 dead letters of the filter")`)
	c.do(t, chromedp.Click(chromedp.CSS("[action='/deliveries/retry/send'] button")))
	c.until(t, `document.querySelector("[role=status]")?.textContent.startsWith("2 are queued")`)
	c.await(t, "all deliveries", `select count(*) = 3 from verobridge.deliveries where user_id like 'doomed-%' and destination = 'vero' and status = 'delivered'`)
}

// Each field of the filter narrows the list, and what was typed stays.
func testConsoleFilters(t *testing.T, c *consoleTab) {
	c.track(t, "filter-1", "Filtered")
	c.track(t, "filter-2", "Filtered")
	c.await(t, "the deliveries", `select count(*) = 4 from verobridge.deliveries where event = 'Filtered' and status = 'delivered'`)
	for query, want := range map[string]int{
		"event=Filtered":                                   4,
		"event=Filtered&destination=vero":                  2,
		"event=Filtered&person=filter-1":                   2,
		"event=Filtered&status=dead":                       0,
		"event=Filtered&source=vero":                       0,
		"event=Filtered&until=2026-01-01T00:00":            0,
		"event=Filtered&since=2020-01-01T00:00":            4,
		"event=Filtered&reason=delivered&person=filter-2":  2,
		"event=Filtered%27+or+true+--&destination=%3Cb%3E": 0,
	} {
		c.open(t, "/deliveries?"+query)
		if got := c.eval(t, `document.querySelectorAll(".list tbody tr").length`); got != fmt.Sprint(want) {
			t.Errorf("%s: %s deliveries, want %d", query, got, want)
		}
		if got := c.eval(t, `document.querySelector("#event").value.startsWith("Filtered")`); got != "true" {
			t.Errorf("%s: the filter forgets what was typed", query)
		}
	}
}

// What is typed is mapped, with each preset beside it; a mistake is named by its
// place, and nothing that was typed is lost.
func testConsoleMapping(t *testing.T, c *consoleTab) {
	c.open(t, "/mapping")
	c.do(t, chromedp.SendKeys(chromedp.CSS("#calls"), `{"type": track}`), chromedp.Click(chromedp.CSS(".mapping button")))
	c.until(t, `document.querySelector("#wrong")?.textContent.includes("line 1, column 12")`)
	if got := c.eval(t, `document.querySelector("#calls").value`); got != `{"type": track}` {
		t.Errorf("what was typed has become %q", got)
	}
	c.checkPage(t)
	call := fmt.Sprintf(`{"type":"track","userId":"7","event":%q,"properties":{"plan":"</textarea><b>"}}`, hostile)
	c.do(t, chromedp.SetValue(chromedp.CSS("#calls"), call), chromedp.Click(chromedp.CSS(".mapping button")))
	c.until(t, `document.querySelectorAll(".presets article").length === 4`)
	text := c.shown(t)
	for _, part := range []string{"/events/track", "<img src=x", "</textarea><b>", "rudderstack", "the same as now"} {
		if !strings.Contains(text, part) {
			t.Errorf("the page does not show %q:\n%s", part, text)
		}
	}
	c.checkPage(t)
	c.track(t, "picked", "Picked")
	c.open(t, "/mapping")
	c.do(t, chromedp.Click(chromedp.CSS("form[method=get] button")))
	c.until(t, `document.querySelector(".now")?.innerText.includes("Picked")`)
	c.checkPage(t)
}

// The funnel's numbers are those of the analysts' view.
func testConsoleEmails(t *testing.T, c *consoleTab) {
	c.open(t, "/emails")
	for n := range 6 {
		for i, step := range []string{"Email Sent", "Email Delivered", "Email Bounced"} {
			if i <= n%3 {
				c.post(t, "/v1/track", devVeroKey, fmt.Appendf(nil,
					`{"userId":"e%d","event":%q,"properties":{"campaign_id":77,"campaign_name":%q,"email_id":"mail-%d"}}`, n, step, hostile, n))
			}
		}
	}
	c.await(t, "the emails", `select coalesce(sum(sent) = 6 and sum(delivered) = 4 and sum(bounced) = 2, false) from email_analytics.funnel where campaign_id = '77'`)
	row := func() string {
		c.open(t, "/emails?days=7&source=vero&campaign=77")
		return c.eval(t, `[...document.querySelectorAll(".funnel tbody tr")].map((row) => row.children[0].innerText + " " + row.children[2].innerText).join()`)
	}
	awaitCondition(t, "the emails to be counted", func() bool { return strings.HasPrefix(row(), "Sent 6") })
	if got, want := row(), "Sent 6,Delivered 4,Opened 0,Clicked 0,Bounced 2,Unsubscribed 0,Marked as spam 0"; got != want {
		t.Errorf("the page shows %s, want %s", got, want)
	}
	if got := c.eval(t, `document.querySelectorAll(".days g").length + " " + document.querySelector(".card h2").textContent`); got != "7 "+hostile {
		t.Errorf("chart and campaign are %s", got)
	}
}

// A value that did not fit is shown with the command that puts it in.
func testConsoleTables(t *testing.T, c *consoleTab) {
	c.post(t, "/v1/track", devAppKey, []byte(`{"userId":"u","event":"Plan Chosen","properties":{"seats":3}}`))
	c.await(t, "the table", `select to_regclass('app.plan_chosen') is not null`)
	c.post(t, "/v1/track", devAppKey, fmt.Appendf(nil, `{"userId":"u","event":"Plan Chosen","properties":{"seats":%q}}`, hostile))
	c.await(t, "the discard", `select count(*) = 1 from app.discards where column_name = 'seats'`)
	awaitCondition(t, "the discard to be counted", func() bool {
		c.open(t, "/tables")
		text := c.shown(t)
		return strings.Contains(text, "verobridge repair app.plan_chosen.seats") && strings.Contains(text, "<img src=x")
	})
}
