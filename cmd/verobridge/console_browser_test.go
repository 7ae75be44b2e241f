package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/verobridge/verobridge/internal/sdktest"
)

// hostile is the name of an event that would do something, if it were not shown
// as text.
const hostile = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`

// consoleTests are what the console does in a browser, one after the other in the
// same one. Every page that they open is checked by checkPage.
var consoleTests = []struct {
	name string
	run  func(*testing.T, *consoleTab)
}{
	{"login", testConsoleLogin},
	{"pages", testConsolePages},
	{"live", testConsoleLive},
	{"test event", testConsoleTrial},
	{"timeline", testConsoleTimeline},
	{"dead letters", testConsoleDeadLetters},
	{"filters", testConsoleFilters},
	{"mapping", testConsoleMapping},
	{"emails", testConsoleEmails},
	{"tables", testConsoleTables},
	{"keyboard", testConsoleKeyboard},
	{"logout", testConsoleLogout},
}

// In a real browser the console of a running dev does all that it should, without
// an error, without asking any other host, on a phone too.
func TestConsole(t *testing.T) {
	t.Parallel()
	c := newConsoleTab(t, &dev{password: "open sesame"})
	for _, test := range consoleTests {
		if !t.Run(test.name, func(t *testing.T) { test.run(t, c) }) {
			return // the next ones go on from where this one ended
		}
	}
}

// consoleTab is a tab of a browser that shows the console of a dev.
type consoleTab struct {
	*world
	dev   *dev
	url   string
	tab   context.Context
	notes *consoleNotes
}

func newConsoleTab(t *testing.T, d *dev) *consoleTab {
	t.Helper()
	d.dataDir, d.listen, d.admin, d.vero = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	d.out, d.log = t.Output(), slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	t.Cleanup(func() {
		if d.bridge != nil {
			showsNoSecret(t, d.bridge)
		}
		d.stop(t)
	})
	if err := d.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := &consoleTab{
		world: &world{bridge: d.bridge, url: "http://" + d.bridge.publicAddr, db: connect(t, d.bridge.settings.Warehouse.URL)},
		dev:   d, url: "http://" + d.bridge.adminAddr, tab: sdktest.Chromium(t), notes: &consoleNotes{},
	}
	if err := chromedp.Listen(c.tab, c.notes.note); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(c.tab, log.Enable, struct{}{}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (d *dev) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*stopTimeout)
	defer cancel()
	for i := len(d.closers) - 1; i >= 0; i-- {
		if err := d.closers[i](ctx); err != nil {
			t.Errorf("stop dev: %v", err)
		}
	}
}

// consoleNotes are what a tab asks for, and what it complains about.
type consoleNotes struct {
	mu       sync.Mutex
	hosts    []string
	problems []string
}

func (n *consoleNotes) note(ev any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(ev.Request.URL); err == nil && u.Host != "" {
			n.hosts = append(n.hosts, u.Host)
		}
	case *runtime.EventExceptionThrown:
		n.problems = append(n.problems, ev.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		n.problems = append(n.problems, fmt.Sprintf("console.%s %v", ev.Type, ev.Args))
	case *log.EventEntryAdded:
		if ev.Entry.Level != log.EntryLevelVerbose {
			n.problems = append(n.problems, fmt.Sprintf("%s: %s %s", ev.Entry.Level, ev.Entry.Text, ev.Entry.URL))
		}
	}
}

// open shows a page and checks it.
func (c *consoleTab) open(t *testing.T, path string) {
	t.Helper()
	c.do(t, chromedp.Navigate(c.url+path))
	c.checkPage(t)
}

func (c *consoleTab) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(c.tab, steps...); err != nil {
		t.Fatalf("%v\n%s", err, c.shown(t))
	}
}

// eval returns what a script says as text.
func (c *consoleTab) eval(t *testing.T, script string) string {
	t.Helper()
	text, err := chromedp.Run(c.tab, chromedp.Evaluate[string]("String("+script+")"))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return text
}

// shown is what there is to read on the page.
func (c *consoleTab) shown(t *testing.T) string {
	t.Helper()
	text, err := chromedp.Run(c.tab, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

// until waits until a script says true, on this page or one that it leads to.
func (c *consoleTab) until(t *testing.T, script string) {
	t.Helper()
	for started := time.Now(); ; pause(t, 20*time.Millisecond) {
		is, err := chromedp.Run(c.tab, chromedp.Evaluate[bool]("Boolean("+script+")"))
		if err == nil && is {
			return
		}
		if time.Since(started) > deadline/2 {
			t.Fatalf("%s: %v\nat %s\n%s", script, err, c.eval(t, "location.href"), c.shown(t))
		}
	}
}

// faults is a script that lists what is wrong with a page, whichever it is.
const faults = `(() => {
	const found = [];
	const must = (ok, what) => ok || found.push(what);
	const all = (selector) => [...document.querySelectorAll(selector)];
	must(!window.hacked && !document.querySelector("img[src=x]"), "an event's name is taken for markup");
	must(all("h1").length === 1 && all("main").length === 1, "one heading and one main part");
	must(all("style, [style], script:not([src])").length === 0, "neither styles nor scripts in the page");
	all("[id]").forEach((e) => must(document.querySelectorAll("#" + CSS.escape(e.id)).length === 1, "the id " + e.id + " twice"));
	all("table").forEach((e) => must(e.caption && e.querySelector("th[scope]"), "a table without caption or scope"));
	all("input:not([type=hidden]), select, textarea").forEach((e) => must(e.labels.length || e.ariaLabel, "a field without a label: " + e.name));
	all("a, button").forEach((e) => must(e.textContent.trim() || e.ariaLabel, "a link or button without a name"));
	all(".status").forEach((e) => must(e.textContent.trim() && e.querySelector("svg"), "a status that needs its colour: " + e.outerHTML));
	all("svg").forEach((e) => must(e.ariaHidden === "true" || e.ariaLabel || e.getAttribute("aria-labelledby") || e.querySelector("title"), "a picture without words"));
	const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
	must(wide <= 0, "the page scrolls sideways by " + wide + " at " + innerWidth + ", because of " +
		all("main *").filter((e) => e.getBoundingClientRect().right > innerWidth && !e.parentElement.closest(".scroll, .flat, pre")).map((e) => e.tagName + "." + e.className).join(" "));
	return found.join("\n");
})()`

// checkPage checks what every page owes, in the size of a screen and of a phone.
func (c *consoleTab) checkPage(t *testing.T) {
	t.Helper()
	for _, width := range []int64{1280, 360} {
		c.do(t, chromedp.EmulateViewport(width, 740))
		if found := c.eval(t, faults); found != "" {
			t.Errorf("%s, %d wide:\n%s", c.eval(t, "location.pathname"), width, found)
		}
	}
	c.do(t, chromedp.EmulateViewport(1280, 740))
	c.notes.mu.Lock()
	defer c.notes.mu.Unlock()
	for _, problem := range c.notes.problems {
		t.Errorf("the browser complains: %s", problem)
	}
	for _, host := range c.notes.hosts {
		if "http://"+host != c.url {
			t.Errorf("a page asks %s", host)
		}
	}
	c.notes.problems, c.notes.hosts = nil, nil
}

// track posts a track call of a person through the public door.
func (c *consoleTab) track(t *testing.T, person, name string) {
	t.Helper()
	c.post(t, "/v1/track", devAppKey, fmt.Appendf(nil, `{"userId":%q,"event":%q}`, person, name))
}

func testConsoleLogin(t *testing.T, c *consoleTab) {
	c.open(t, "/live?person=ann")
	c.do(t,
		chromedp.SendKeys(chromedp.CSS("#password"), "close sesame\r"),
		chromedp.WaitVisible(chromedp.CSS("#wrong")))
	c.notes.forgive("401")
	c.checkPage(t)
	c.do(t,
		chromedp.SendKeys(chromedp.CSS("#password"), c.dev.password+"\r"),
		chromedp.WaitVisible(chromedp.CSS("#person")))
	if got := c.eval(t, "document.querySelector('#person').value"); got != "ann" {
		t.Errorf("the login leads to another page than asked for: person %q", got)
	}
	c.checkPage(t)
}

// forgive forgets complaints about an answer that the test asked for.
func (n *consoleNotes) forgive(about string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var rest []string
	for _, p := range n.problems {
		if !strings.Contains(p, about) {
			rest = append(rest, p)
		}
	}
	n.problems = rest
}

// Every page of the navigation is as it should be, also with an event in it whose
// name is markup; and so is one that is not there.
func testConsolePages(t *testing.T, c *consoleTab) {
	c.track(t, "mallory", hostile)
	c.await(t, "the event in the warehouse", `select count(*) >= 2 from verobridge.deliveries where user_id = 'mallory' and status = 'delivered'`)
	paths := strings.Fields(c.eval(t, `[...document.querySelectorAll("nav a")].map((a) => a.getAttribute("href")).join(" ")`))
	if len(paths) < 3 {
		t.Fatalf("the navigation has %v", paths)
	}
	for _, path := range append(paths, "/live?event=img", "/deliveries?person=mallory") {
		c.open(t, path)
	}
	if text := c.shown(t); !strings.Contains(text, "<img src=x") {
		t.Errorf("the name of the event is not shown as text:\n%s", text)
	}
	c.do(t, chromedp.Navigate(c.url+"/nowhere"))
	c.notes.forgive("404")
	c.checkPage(t)
}

// An event shows up by itself, with what becomes of it; it opens; and nothing comes
// while the page is paused.
func testConsoleLive(t *testing.T, c *consoleTab) {
	c.open(t, "/live?person=ann")
	c.until(t, `document.querySelector("[data-state]").textContent === "Live"`)
	c.track(t, "bob", "Not Wanted")
	c.track(t, "ann", hostile)
	c.until(t, `document.querySelectorAll(".events > li").length === 1`)
	c.until(t, `[...document.querySelectorAll(".events .fate")].map((f) => f.innerText.replace(/\s+/g, " ")).join() === "warehouse delivered,vero delivered"`)
	c.do(t, chromedp.Click(chromedp.CSS(".events summary")), chromedp.WaitVisible(chromedp.CSS(".events .json")))
	if text := c.shown(t); !strings.Contains(text, "<img src=x") || !strings.Contains(text, `"userId": "ann"`) {
		t.Errorf("the event is not shown whole:\n%s", text)
	}
	c.checkPage(t)
	c.do(t, chromedp.Click(chromedp.CSS("[data-pause]")))
	c.until(t, `document.querySelector("[data-state]").textContent === "Paused"`)
	c.track(t, "ann", "While Paused")
	c.await(t, "the event in the warehouse", `select count(*) = 1 from app.tracks where event_text = 'While Paused'`)
	if text := c.shown(t); strings.Contains(text, "While Paused") {
		t.Error("an event comes while the page is paused")
	}
	c.do(t, chromedp.Click(chromedp.CSS("[data-pause]")))
	c.until(t, `document.body.innerText.includes("While Paused")`)
}

// A test event is followed to its end, with the call that Vero got.
func testConsoleTrial(t *testing.T, c *consoleTab) {
	c.open(t, "/setup")
	for _, key := range []string{devAppKey, devVeroKey} {
		if text := c.shown(t); strings.Contains(text, key) {
			t.Errorf("the page shows the key %s", key)
		}
	}
	if got := c.eval(t, `document.querySelector("[aria-labelledby=vero-vero] [data-copy]").dataset.copy`); got != c.world.url+"/webhooks/vero/"+devVeroKey {
		t.Errorf("the webhook is copied as %s", got)
	}
	c.do(t,
		chromedp.SendKeys(chromedp.CSS("#email"), "jane@example.com"),
		chromedp.Click(chromedp.CSS("[action='/setup/test/send'] button")),
		chromedp.WaitVisible(chromedp.CSS("#progress")))
	c.until(t, `document.querySelector("[data-over]").dataset.over === "true"`)
	text := c.shown(t)
	for _, part := range []string{"Accepted and on disk", "Loaded into the warehouse", "Sent to vero", "/events/track", "answered 200", `"email": "jane@example.com"`} {
		if !strings.Contains(text, part) {
			t.Errorf("the way of the test event does not say %q:\n%s", part, text)
		}
	}
	c.checkPage(t)
}

// A person's timeline has what he did and the email that followed.
func testConsoleTimeline(t *testing.T, c *consoleTab) {
	c.post(t, "/v1/identify", devAppKey, []byte(`{"userId":"tina","traits":{"email":"tina@example.com"}}`))
	c.track(t, "tina", "Signed Up")
	c.await(t, "an email, and what became of both calls", `
		select exists(select from vero.email_sent where user_id = 'tina') and
			(select count(*) = 4 from verobridge.deliveries where user_id = 'tina' and source = 'app' and status = 'delivered')`)
	c.open(t, "/person?id=tina%40example.com")
	text := c.shown(t)
	for _, part := range []string{"tina", "Signed Up", "identify", "Signed up email"} {
		if !strings.Contains(strings.ToLower(text), strings.ToLower(part)) {
			t.Errorf("the timeline does not show %q:\n%s", part, text)
		}
	}
}

// The first key leads past the navigation; / searches; g and a letter go to another
// page; and what is focused can be seen.
func testConsoleKeyboard(t *testing.T, c *consoleTab) {
	c.open(t, "/")
	c.do(t, chromedp.KeyEvent("\t"))
	if got := c.eval(t, `document.activeElement.className + " " + (document.activeElement.getBoundingClientRect().top >= 0) + " " + (getComputedStyle(document.activeElement).outlineStyle !== "none")`); got != "skip true true" {
		t.Errorf("the first key leads to %q", got)
	}
	c.do(t, chromedp.KeyEvent("\r"))
	if got := c.eval(t, "document.activeElement.id"); got != "main" {
		t.Errorf("the skip link leads to %q", got)
	}
	c.do(t, chromedp.KeyEvent("gl"), chromedp.WaitVisible(chromedp.CSS("#event")))
	c.do(t, chromedp.KeyEvent("/"))
	if got := c.eval(t, "document.activeElement.type"); got != "search" {
		t.Errorf("/ leads to %q", got)
	}
	c.do(t, chromedp.KeyEvent("gs"))
	if got := c.eval(t, `location.pathname + " " + document.activeElement.value.endsWith("gs")`); got != "/live true" {
		t.Errorf("typing in a field leads to %q", got)
	}
	c.checkPage(t)
}

// Whoever logs out sees nothing any more.
func testConsoleLogout(t *testing.T, c *consoleTab) {
	c.open(t, "/")
	c.do(t, chromedp.Click(chromedp.CSS("[action='/logout'] button")), chromedp.WaitVisible(chromedp.CSS("#password")))
	c.open(t, "/live")
	if got := c.eval(t, "location.pathname"); got != "/login" {
		t.Errorf("after the logout %s is shown", got)
	}
}
