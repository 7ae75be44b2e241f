package console

import (
	"net/http"
	"net/url"
	"strings"
)

// loginForm is what the login page shows.
type loginForm struct{ Next, Wrong string }

func (c *Console) showLogin(w http.ResponseWriter, r *http.Request) {
	next := within(r.URL.Query().Get("next"))
	if !c.lock.locked() || c.sessions.use(token(r)) {
		http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // within the console
		return
	}
	c.render(w, r, http.StatusOK, "login", frame{Title: "Log in", Main: loginForm{Next: next}})
}

// login opens a session for who knows the password.
func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	next := within(r.PostFormValue("next"))
	again := func(status int, why string) {
		c.render(w, r, status, "login", frame{Title: "Log in", Main: loginForm{next, why}})
	}
	if !c.lock.locked() {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	switch c.lock.try(r, login, r.PostFormValue("password")) {
	case right:
		c.sessions.end(token(r))
		http.SetCookie(w, cookie(r, c.sessions.begin()))
		http.Redirect(w, r, next, http.StatusSeeOther)
	case wait:
		w.Header().Set("Retry-After", retryAfter)
		again(http.StatusTooManyRequests, "Too many wrong passwords came from your address. Wait a minute, then try again.")
	case wrong:
		c.log.Warn("somebody tried to log in to the console with a wrong password")
		again(http.StatusUnauthorized, "That is not the password. It is admin.password in the settings.")
	}
}

// logout ends the session.
func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	c.sessions.end(token(r))
	gone := cookie(r, "") //nolint:gosec // it sets Secure wherever the request came that way
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// within returns a place to go to after the login if it is in the console, and the
// first page if it is anywhere else.
func within(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\t\r\n") {
		return "/"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}
