package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/canary"
	"github.com/verobridge/verobridge/internal/event"
)

// setupPath is the one page that hands out keys: those of the sources.
const setupPath = "/setup"

// showsNoSecret fails the test if a bridge that runs answers an operator who is
// logged in with a secret: on a page of the console, or what programs get.
func showsNoSecret(t testing.TB, b *bridge) {
	t.Helper()
	o := newOperator(t, b)
	latest, err := b.spool.Latest(o.ctx, 1, func(event.Event) bool { return true })
	if err != nil {
		t.Errorf("the latest event: %v", err)
	}
	var e event.Event
	if len(latest) > 0 {
		e = latest[0]
	}
	fill := strings.NewReplacer("{source}", url.PathEscape(e.Source), "{id:.*}", url.PathEscape(e.ID))
	paths := []string{
		"/person?id=" + url.QueryEscape(e.UserID()), "/event?id=" + url.QueryEscape(e.ID), "/nowhere",
		"/healthz", "/readyz", "/metrics", "/api/nothing", "/api/events?last=100", "/api/dead", "/api/dead?odd=1",
		"/api/replay?destination=vero", "/api/replay/queue?destination=vero", "/api/forget?user_id=nobody",
	}
	for _, path := range append(paths, b.console.Paths()...) {
		o.look(t, o.get(fill.Replace(path)))
	}
}

// operator asks the admin address of a bridge, and looks for secrets in answers.
type operator struct {
	ctx      context.Context
	password string
	admin    http.Handler
	session  []*http.Cookie
	// secrets are all, but are those that Setup may show as well.
	secrets, but canary.Secrets
}

// newOperator logs in.
func newOperator(t testing.TB, b *bridge) *operator {
	t.Helper()
	s := b.settings
	s.Sources = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), deadline)
	t.Cleanup(cancel)
	o := &operator{ctx: ctx, password: s.Admin.Password, admin: b.adminHandler(), secrets: secretsIn(t, b.settings), but: secretsIn(t, s)}
	login := o.request(http.MethodPost, "/login", url.Values{"password": {o.password}}.Encode())
	answer := o.look(t, login)
	if o.session = answer.Result().Cookies(); o.password != "" && len(o.session) == 0 {
		t.Errorf("the operator cannot log in: %d", answer.Code)
	}
	return o
}

func (o *operator) request(method, path, form string) *http.Request {
	request := httptest.NewRequestWithContext(o.ctx, method, "http://127.0.0.1"+path, strings.NewReader(form))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, cookie := range o.session {
		request.AddCookie(cookie)
	}
	if o.password != "" && len(o.session) > 0 {
		request.SetBasicAuth("", o.password)
	}
	return request
}

func (o *operator) get(path string) *http.Request { return o.request(http.MethodGet, path, "") }

// look fails the test if the answer to a request holds a secret.
func (o *operator) look(t testing.TB, request *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	o.admin.ServeHTTP(answer, request)
	secrets := o.secrets
	if request.URL.Path == setupPath {
		secrets = o.but
	}
	if problem := secrets.In(said(answer)); problem != "" {
		t.Errorf("%s %s answers %d and %s", request.Method, request.URL.Path, answer.Code, problem)
	}
	if o.session != nil && strings.HasPrefix(answer.Header().Get("Location"), "/login") {
		t.Errorf("%s %s leads to the login", request.Method, request.URL.Path)
	}
	return answer
}

// said is all that an answer says.
func said(answer *httptest.ResponseRecorder) string {
	return fmt.Sprint(answer.Header(), "\n", answer.Body)
}

// The answers of both doors to what is wrong hold no secret, whoever asks.
func TestRefusalsHoldNoSecret(t *testing.T) {
	t.Parallel()
	s := testSettings(t, "http://127.0.0.1:1")
	s.Admin.Password = "test-admin-password"
	s.Notify.URL = "http://127.0.0.1:1/test-notify-secret"
	b := startTestBridge(t, s, slog.New(slog.DiscardHandler))
	secrets := secretsIn(t, s)

	for _, path := range []string{
		"/v1/track", "/v1/batch", "/v1/nothing", "/v1/track?writeKey=" + appKey, "/v1/projects/wrong/settings",
		"/webhooks/vero/" + veroKey, "/webhooks/vero/" + appKey, "/webhooks/vero/wrong", "/",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodOptions} {
			for _, body := range []string{"", "{", "[]", `{"type":"track","writeKey":"` + appKey + `"}`, `{"batch":[{"type":1}]}`} {
				for _, key := range []string{"", "wrong", appKey, veroKey} {
					request := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
					if key != "" {
						request.SetBasicAuth(key, "")
					}
					answer := httptest.NewRecorder()
					b.door.ServeHTTP(answer, request)
					if problem := secrets.In(said(answer)); problem != "" {
						t.Errorf("%s %s with key %q answers %q with %d and %s", method, path, key, body, answer.Code, problem)
					}
				}
			}
		}
	}

	o := newOperator(t, b)
	codes := make(map[int]bool)
	for _, path := range append(b.console.Paths(), "/login", "/deliveries/retry/send", "/setup/test/send", "/api/dead/retry", "/api/replay", "/api/forget") {
		for _, form := range []string{"", "%zz", "source=none&destination=none&password=" + o.password + "x"} {
			wrong := o.request(http.MethodPost, path, form)
			codes[o.look(t, wrong).Code] = true
			foreign := o.request(http.MethodPost, path, form)
			foreign.Header.Set("Sec-Fetch-Site", "cross-site")
			codes[o.look(t, foreign).Code] = true
		}
	}
	o.session = nil // nobody is logged in
	for _, path := range []string{"/metrics", "/api/events", setupPath, "/"} {
		request := o.get(path)
		request.SetBasicAuth("", "wrong")
		answer := o.look(t, request)
		codes[answer.Code] = true
		if problem := secrets.In(said(answer)); problem != "" {
			t.Errorf("%s answers anybody with %s", path, problem)
		}
	}
	for _, code := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed} {
		if !codes[code] {
			t.Errorf("nothing was answered with %d, but %v", code, slices.Sorted(maps.Keys(codes)))
		}
	}
}
