package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

const (
	// guesses is how many wrong passwords an address may try at once, and
	// guessEvery after how long it may try one more.
	guesses    = 8
	guessEvery = 10 * time.Second
	// guessers is of how many addresses that is remembered.
	guessers = 4096
)

// lock opens with the password, and to nobody who guesses. It counts the wrong
// answers of each address, those of people and those of programs apart; with too
// many of them the right one does not open it either, for a while.
type lock struct {
	want   [sha256.Size]byte
	exists bool
	now    func() time.Time

	mu      sync.Mutex
	guesses *lru.Cache[guesser, *rate.Limiter]
}

// door is where a password is asked for.
type door int

const (
	login   door = iota // of people
	program             // of the command line and of monitoring, by HTTP basic authentication
)

// guesser is whom an attempt counts for.
type guesser struct {
	door door
	from netip.Prefix
}

func newLock(password string, now func() time.Time) *lock {
	cache, err := lru.New[guesser, *rate.Limiter](guessers)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &lock{want: sha256.Sum256([]byte(password)), exists: password != "", now: now, guesses: cache}
}

// locked says whether there is a password.
func (l *lock) locked() bool { return l.exists }

// answer is what the lock says to a password.
type answer int

const (
	wrong answer = iota
	right
	wait // too many wrong ones came from the same address
)

// try tells whether a password is the right one, in a time that does not depend on
// where it differs.
func (l *lock) try(r *http.Request, at door, password string) answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := guesser{at, network(origin(r))}
	limiter, ok := l.guesses.Get(from)
	if ok && limiter.TokensAt(l.now()) < 1 {
		return wait
	}
	got := sha256.Sum256([]byte(password))
	if subtle.ConstantTimeCompare(got[:], l.want[:]) == 1 {
		return right
	}
	if !ok {
		limiter = rate.NewLimiter(rate.Every(guessEvery), guesses)
		l.guesses.Add(from, limiter)
	}
	limiter.AllowN(l.now(), 1)
	return wrong
}

// origin is the address that a request comes from. A proxy on this machine is
// believed: the last hop that it names is the one that it has seen itself. What
// others say of hops is theirs to make up.
func origin(r *http.Request) netip.Addr {
	peer := parseAddress(r.RemoteAddr)
	if !peer.IsLoopback() {
		return peer
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if last := parseAddress(strings.TrimSpace(hops[len(hops)-1])); last.IsValid() {
		return last
	}
	return peer
}

// parseAddress reads an address with a port or without, and returns the zero Addr
// if it is none.
func parseAddress(text string) netip.Addr {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

// network is what is counted: an address of IPv4, or the network of one of IPv6,
// of which everybody has 2^64.
func network(address netip.Addr) netip.Prefix {
	bits := 64
	if address.Is4() {
		bits = 32
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

// Basic asks programs for the password, by HTTP basic authentication, whatever the
// name of the user is. Without a password it lets everybody in.
func (c *Console) Basic(next http.Handler) http.Handler {
	if !c.lock.locked() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, given := r.BasicAuth(); given { // no password is no guess
			switch c.lock.try(r, program, password) {
			case right:
				next.ServeHTTP(w, r)
				return
			case wait:
				w.Header().Set("Retry-After", retryAfter)
				http.Error(w, TooManyGuesses, http.StatusTooManyRequests)
				return
			case wrong:
			}
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="verobridge"`)
		http.Error(w, "the password is admin.password in the settings", http.StatusUnauthorized)
	})
}

// TooManyGuesses is what a program is told from whose address too many wrong
// passwords came.
const TooManyGuesses = "too many wrong passwords came from this address; correct admin.password where it is wrong, and try again in a minute"

// retryAfter is when, in seconds, somebody who guessed too often may go on.
const retryAfter = "60"
