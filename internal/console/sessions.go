package console

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// sessionIdle ends a session that nobody uses, sessionLong every one.
	sessionIdle = 12 * time.Hour
	sessionLong = 7 * 24 * time.Hour
)

// sessions are those who have logged in, by the hash of the random token that
// their cookie holds. They are kept in memory: a restart logs everybody out.
type sessions struct {
	now func() time.Time

	mu   sync.Mutex
	open map[[sha256.Size]byte]session
}

type session struct{ begun, used time.Time }

func (s session) over(now time.Time) bool {
	return now.Sub(s.used) > sessionIdle || now.Sub(s.begun) > sessionLong
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, open: make(map[[sha256.Size]byte]session)}
}

// begin opens a session and returns its token.
func (s *sessions) begin() string {
	token, now := rand.Text(), s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, old := range s.open {
		if old.over(now) {
			delete(s.open, key)
		}
	}
	s.open[sha256.Sum256([]byte(token))] = session{now, now}
	return token
}

// use says whether a token is of an open session, which goes on from now.
func (s *sessions) use(token string) bool {
	key, now := sha256.Sum256([]byte(token)), s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.open[key]
	if !ok || found.over(now) {
		delete(s.open, key)
		return false
	}
	s.open[key] = session{found.begun, now}
	return true
}

// isOpen says whether a token is of an open session, without prolonging it.
func (s *sessions) isOpen(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.open[sha256.Sum256([]byte(token))]
	return ok && !found.over(s.now())
}

func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(token)))
}

// secure says whether the browser speaks TLS, to us or to the proxy in front.
func secure(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// cookie is the session's cookie. Over TLS its name keeps other hosts of the same
// domain from setting it (RFC 6265bis, section 4.1.3.2).
func cookie(r *http.Request, token string) *http.Cookie {
	c := &http.Cookie{Name: "verobridge", Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if secure(r) {
		c.Name, c.Secure = "__Host-verobridge", true
	}
	return c
}

// token returns what a request's cookie holds.
func token(r *http.Request) string {
	found, err := r.Cookie(cookie(r, "").Name)
	if err != nil {
		return ""
	}
	return found.Value
}

// withSession lets through who has logged in, and sends others to do so.
func (c *Console) withSession(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !c.lock.locked() || c.sessions.use(token(r)) {
			next(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead || r.Header.Get("Accept") == "text/event-stream" {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, "/login?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
	}
}
