package console

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const password = "open sesame"

// visitor is a browser without a script: it keeps cookies and follows nothing.
type visitor struct {
	t      *testing.T
	client *http.Client
	url    string
}

func visit(t *testing.T, o Options) (*Console, *visitor) {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, &visitor{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}, server.URL}
}

// do makes a request, of a form if there is one, and returns the answer's status
// and where it leads.
func (v *visitor) do(method, path string, form url.Values, headers ...string) (status int, location string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode, answer.Header.Get("Location")
}

func (v *visitor) login(password string) int {
	v.t.Helper()
	status, _ := v.do(http.MethodPost, "/login", url.Values{"password": {password}})
	return status
}

// With a password nothing is shown before the login, everything after it, and
// nothing after the logout, also to who has kept the cookie.
func TestLogin(t *testing.T) {
	t.Parallel()
	c, v := visit(t, Options{Password: password})
	for _, p := range c.pages() {
		if status, location := v.do(http.MethodGet, p.path, nil); status != http.StatusSeeOther || !strings.HasPrefix(location, "/login?next=") {
			t.Errorf("%s before the login: %d to %q", p.path, status, location)
		}
	}
	for _, path := range []string{"/nowhere", "/live/stream"} {
		if status, _ := v.do(http.MethodGet, path, nil); status != http.StatusSeeOther {
			t.Errorf("%s before the login: %d", path, status)
		}
	}
	if status := v.login("close sesame"); status != http.StatusUnauthorized {
		t.Errorf("a wrong password: %d", status)
	}
	status, location := v.do(http.MethodPost, "/login", url.Values{"password": {password}, "next": {"/nowhere?a=b"}})
	if status != http.StatusSeeOther || location != "/nowhere?a=b" {
		t.Errorf("the right password: %d to %q", status, location)
	}
	if status, _ := v.do(http.MethodGet, "/nowhere", nil); status != http.StatusNotFound {
		t.Errorf("a page that is not there: %d", status)
	}
	u, err := url.Parse(v.url)
	if err != nil {
		t.Fatal(err)
	}
	kept := v.client.Jar.Cookies(u)
	if status, location := v.do(http.MethodPost, "/logout", nil); status != http.StatusSeeOther || location != "/login" {
		t.Errorf("logout: %d to %q", status, location)
	}
	v.client.Jar.SetCookies(u, kept)
	if status, _ := v.do(http.MethodGet, "/nowhere", nil); status != http.StatusSeeOther {
		t.Errorf("with the cookie of a session that has ended: %d", status)
	}
}

// Without a password there is nothing to log in to.
func TestNoPassword(t *testing.T) {
	t.Parallel()
	_, v := visit(t, Options{})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if status, location := v.do(method, "/login", nil); status != http.StatusSeeOther || location != "/" {
			t.Errorf("%s /login: %d to %q", method, status, location)
		}
	}
	if status, _ := v.do(http.MethodGet, "/nowhere", nil); status != http.StatusNotFound {
		t.Errorf("a page that is not there: %d", status)
	}
}

// Who guesses is refused even the right password, for a while; who asks with the
// right one all the time is not. Programs have a count of their own, and so has
// everybody behind a proxy on this machine.
func TestGuessing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c, v := visit(t, Options{Password: password, Now: func() time.Time { return now }})
	for range 3 * guesses {
		if status := v.login(password); status != http.StatusSeeOther {
			t.Fatalf("the right password: %d", status)
		}
	}
	for i := range guesses {
		if status := v.login("guess"); status != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d", i, status)
		}
	}
	if status := v.login(password); status != http.StatusTooManyRequests {
		t.Errorf("the right password after %d guesses: %d", guesses, status)
	}
	for hops, want := range map[string]int{
		"203.0.113.7":              http.StatusSeeOther,
		"127.0.0.1, 203.0.113.7:9": http.StatusSeeOther,
		"2001:db8::7":              http.StatusSeeOther,
		"203.0.113.7, 127.0.0.1":   http.StatusTooManyRequests,
		"nobody":                   http.StatusTooManyRequests,
	} {
		if status, _ := v.do(http.MethodPost, "/login", url.Values{"password": {password}}, "X-Forwarded-For", hops); status != want {
			t.Errorf("the right password by way of %s: %d, want %d", hops, status, want)
		}
	}
	program := func(from, hops, password string) int {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.RemoteAddr = from
		r.Header.Set("X-Forwarded-For", hops)
		r.SetBasicAuth("anybody", password)
		c.Basic(http.NotFoundHandler()).ServeHTTP(w, r)
		return w.Code
	}
	if status := program("127.0.0.1:9", "", password); status != http.StatusNotFound {
		t.Errorf("a program at the same address: %d", status)
	}
	for i := range guesses { // whoever comes from elsewhere may not choose as whom
		if status := program("192.0.2.1:9", fmt.Sprintf("203.0.113.%d", i), "guess"); status != http.StatusUnauthorized {
			t.Fatalf("guess %d of a program: %d", i, status)
		}
	}
	if status := program("192.0.2.1:9", "203.0.113.99", password); status != http.StatusTooManyRequests {
		t.Errorf("the right password of a program after %d guesses: %d", guesses, status)
	}
	now = now.Add(guessEvery)
	if status := v.login(password); status != http.StatusSeeOther {
		t.Errorf("the right password %s later: %d", guessEvery, status)
	}
}

// A session ends when nobody uses it, and some day in any case.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := newSessions(func() time.Time { return now })
	idle, busy := s.begin(), s.begin()
	for spent := time.Duration(0); spent <= sessionLong; spent += sessionIdle {
		if !s.use(busy) {
			t.Fatalf("the session ended after %s", spent)
		}
		now = now.Add(sessionIdle)
	}
	if s.use(idle) {
		t.Error("a session that nobody used goes on")
	}
	if s.use(busy) {
		t.Error("a session goes on for ever")
	}
	if s.use("") {
		t.Error("there is a session without a token")
	}
	s.begin()
	if len(s.open) != 1 {
		t.Errorf("%d sessions are remembered, want the open one", len(s.open))
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	plain := httptest.NewRequest(http.MethodGet, "/", nil)
	proxied := httptest.NewRequest(http.MethodGet, "/", nil)
	proxied.Header.Set("X-Forwarded-Proto", "https")
	for want, r := range map[string]*http.Request{
		"verobridge=t; Path=/; HttpOnly; SameSite=Lax":                 plain,
		"__Host-verobridge=t; Path=/; HttpOnly; Secure; SameSite=Lax":  proxied,
		"__Host-verobridge=t; Path=/; HttpOnly; Secure; SameSite=Lax ": httptest.NewRequest(http.MethodGet, "https://console.example.com/", nil),
	} {
		if got := cookie(r, "t").String(); got != strings.TrimSpace(want) {
			t.Errorf("cookie %q, want %q", got, want)
		}
	}
}

// The login leads nowhere else than into the console.
func TestLoginLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/":                        "/",
		"/live?event=Signed+Up&a=": "/live?event=Signed+Up&a=",
		"/people/a%2Fb":            "/people/a/b",
		"":                         "/",
		"live":                     "/",
		"//evil.example":           "/",
		"///evil.example":          "/",
		`/\evil.example`:           "/",
		`\\evil.example`:           "/",
		"/\t/evil.example":         "/",
		"/%09/evil.example":        "/%09/evil.example",
		"/%2Fevil.example":         "/",
		"https://evil.example/":    "/",
		"javascript:alert(1)":      "/",
		"http:evil.example":        "/",
		"/a@evil.example":          "/a@evil.example",
	} {
		if got := within(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

// A page of another site changes nothing, and every answer tells the browser to
// load nothing from elsewhere.
func TestStrangers(t *testing.T) {
	t.Parallel()
	c, v := visit(t, Options{})
	for _, a := range append(c.actions(), action{path: "/logout"}, action{path: "/login"}) {
		if status, _ := v.do(http.MethodPost, a.path, url.Values{}, "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
			t.Errorf("%s from another site: %d", a.path, status)
		}
	}
	for _, path := range []string{"/", "/nowhere", "/login", "/static/nothing"} {
		answer, err := http.Get(v.url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if got := answer.Header.Get("Content-Security-Policy"); got != policy {
			t.Errorf("%s has the policy %q", path, got)
		}
	}
}
