package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/verobridge/verobridge/internal/mockvero"
	"github.com/verobridge/verobridge/internal/sdktest"
)

// batching is how a page asks the SDK to send calls together.
const batching = `{"integrations":{"Segment.io":{"deliveryStrategy":{"strategy":"batching","config":{"size":50,"timeout":60000}}}}}`

// sixCallsOfAPage makes all six calls, the page call of which the snippet makes.
const sixCallsOfAPage = `
	analytics.identify('visitor', {email: 'visitor@example.com', plan: 'pro'});
	analytics.track('Order Completed', {order_id: 'o-1', total: 9.99});
	analytics.screen('Main');
	analytics.group('g1', {name: 'Acme'});
	analytics.alias('visitor', 'old-visitor');
	true`

// site is a web page with the official snippet, on a host of its own, and the
// whole program behind it: with TLS, a source for browsers, and the SDK served
// from its own address.
type site struct {
	*world
	page  string // its URL
	tab   context.Context
	notes *traffic
}

func newSite(t *testing.T, options string, change func(*settings)) *site {
	t.Helper()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(t, serve(t, vero))
	var snippet string
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!doctype html><html><head><title>Shop</title>"+snippet+"</head><body>é 😀</body></html>")
	}))
	t.Cleanup(page.Close)
	s.Sources = append(s.Sources, sourceSettings{
		Name: "web", WriteKeys: []string{publicKey}, Trust: trustBrowser, Origins: []string{page.URL},
		Events: []string{"Order Completed", "Viewed page"}, Destinations: []string{"vero"},
	})
	s.AnalyticsDir = sdktest.BrowserBundle(t)
	s.TLS = selfSigned(t)
	if change != nil {
		change(&s)
	}
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	snippet = sdktest.Snippet(t, b.publicAddr, publicKey, options)

	w := &world{bridge: b, db: connect(t, s.Warehouse.URL), vero: vero, url: "https://" + b.publicAddr}
	tab := sdktest.Chromium(t)
	notes := &traffic{unavailable: make(chan struct{}, 1)}
	if err := chromedp.Listen(tab, notes.note); err != nil {
		t.Fatal(err)
	}
	return &site{world: w, page: page.URL, tab: tab, notes: notes}
}

// traffic is what a tab asks for.
type traffic struct {
	mu          sync.Mutex
	hosts       map[string]bool
	answers     []string
	unavailable chan struct{} // after a 503
}

func (n *traffic) note(ev any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(ev.Request.URL); err == nil && u.Host != "" {
			if n.hosts == nil {
				n.hosts = make(map[string]bool)
			}
			n.hosts[u.Host] = true
		}
	case *network.EventResponseReceived:
		n.answers = append(n.answers, fmt.Sprintf("%d %s", ev.Response.Status, ev.Response.URL))
		if ev.Response.Status == http.StatusServiceUnavailable {
			select {
			case n.unavailable <- struct{}{}:
			default:
			}
		}
	}
}

// String lists the answers.
func (n *traffic) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.answers, "\n")
}

// open loads the page and waits until the SDK runs.
func (s *site) open(t *testing.T) {
	t.Helper()
	if err := chromedp.Do(s.tab, chromedp.Navigate(s.page)); err != nil {
		t.Fatal(err)
	}
	s.run(t, `new Promise((resolve) => analytics.ready(() => resolve(true)))`)
}

// run evaluates a script that ends in true, or in a promise of it.
func (s *site) run(t *testing.T, script string) {
	t.Helper()
	done, err := chromedp.Run(s.tab, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise))
	if err != nil || !done {
		t.Fatalf("%s: %t, %v\nanswers: %v", script, done, err, s.notes)
	}
}

// staysHere checks that the page asked for nothing but itself and the bridge.
func (s *site) staysHere(t *testing.T) {
	t.Helper()
	s.notes.mu.Lock()
	defer s.notes.mu.Unlock()
	if len(s.notes.hosts) != 2 {
		t.Errorf("the page asked %v, want itself and the bridge", s.notes.hosts)
	}
	for host := range s.notes.hosts {
		if host != s.bridge.publicAddr && host != strings.TrimPrefix(s.page, "http://") {
			t.Errorf("the page asked %s", host)
		}
	}
}

// In a real browser the official snippet and SDK deliver all six calls, one by
// one and together, and ask no host but ours.
func TestBrowserSDK(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]string{"standard": "", "batching": strings.Replace(batching, "60000", "200", 1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, options, nil)
			s.open(t)
			s.run(t, sixCallsOfAPage)
			for _, table := range sixTables {
				s.await(t, "the row in "+table, `select count(*) = 1 from web.`+table)
			}
			s.staysHere(t)
			for query, want := range map[string]string{
				`select user_id || ' ' || email || ' ' || plan from web.identifies`:               "visitor visitor@example.com pro",
				`select user_id || ' ' || order_id || ' ' || total from web.order_completed`:      "visitor o-1 9.99",
				`select context_page_title || ' ' || context_page_url from web.order_completed`:   "Shop " + s.page + "/",
				`select context_library_name || ' ' || (anonymous_id <> '')::text from web.pages`: "analytics.js true",
				`select name from web.screens`:                          "Main",
				`select group_id || ' ' || name from web.groups`:        "g1 Acme",
				`select user_id || ' ' || previous_id from web.aliases`: "visitor old-visitor",
				`select context_ip from web.tracks`:                     "127.0.0.1",
				`select count(distinct id)::text from (select id from web.identifies union all select id from web.tracks union all select id from web.pages union all select id from web.screens union all select id from web.groups union all select id from web.aliases) t`: "6",
			} {
				if got := s.text(t, query); got != want {
					t.Errorf("%s gives %q, want %q", query, got, want)
				}
			}
		})
	}
}

// A call that is answered 503 is sent again by the SDK, with a header that the
// preflight must have allowed, and is stored once. The 503 is real: somebody
// else's body takes all the memory there is for bodies.
func TestBrowserSDKRetries(t *testing.T) {
	t.Parallel()
	s := newSite(t, "", func(s *settings) {
		s.Limits = limitSettings{BodyBytes: 512_000, BufferedBytes: 512_000}
	})
	s.open(t)
	s.await(t, "the row in pages", `select count(*) = 1 from web.pages`)
	conn := s.fill(t, 512_000-1)
	s.run(t, `analytics.track('Order Completed', {order_id: 'o-2'}); true`)
	select {
	case <-s.notes.unavailable:
	case <-s.tab.Done():
		t.Fatalf("no 503 was seen: %v", s.notes)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	s.await(t, "the row in order_completed", `select count(*) = 1 from web.order_completed where order_id = 'o-2'`)
	s.staysHere(t)
}

// fill sends most of a body, leaves it at that, and waits until the bridge has
// no memory for another one.
func (s *site) fill(t *testing.T, sent int) net.Conn {
	t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // its own, made by the test
	conn, err := dialer.DialContext(t.Context(), "tcp", s.bridge.publicAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	head := fmt.Sprintf("POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", sent+1)
	if _, err := io.WriteString(conn, head+strings.Repeat(" ", sent)); err != nil {
		t.Fatal(err)
	}
	awaitCondition(t, "a body that fills the memory", func() bool {
		return strings.Contains(s.metrics(t), "verobridge_ingest_buffered_bytes 512000\n")
	})
	return conn
}

// What waits for its batch is sent when the visitor leaves the page.
func TestBrowserSDKOnLeavingThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t, batching, nil)
	s.open(t)
	s.run(t, `analytics.track('Order Completed', {order_id: 'o-3'}); true`)
	if err := chromedp.Do(s.tab, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	s.await(t, "the row in order_completed", `select count(*) = 1 from web.order_completed where order_id = 'o-3'`)
	s.await(t, "the row in pages", `select count(*) = 1 from web.pages`)
}
