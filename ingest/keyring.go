package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/time/rate"
)

// keyring knows which source a write key belongs to. It keeps hashes, so that
// no dump of the memory shows a key, and compares all of them in constant time.
type keyring []*credential

// credential is one write key of a source.
type credential struct {
	hash    [sha256.Size]byte
	source  *Source
	limiter *rate.Limiter // nil: no limit
}

func newKeyring(sources []Source) (keyring, error) {
	if len(sources) == 0 {
		return nil, errors.New("there are no sources; add one with a name and a write key")
	}
	var keys keyring
	names := make(map[string]bool)
	for _, s := range sources {
		switch {
		case s.Name == "":
			return nil, errors.New("a source has no name; give it one, it names the schema of its tables")
		case names[s.Name]:
			return nil, fmt.Errorf("two sources are named %q; rename one", s.Name)
		case len(s.WriteKeys) == 0:
			return nil, fmt.Errorf("source %q has no write key; add one to its write_keys", s.Name)
		case s.Browser && len(s.Origins) == 0:
			return nil, fmt.Errorf("source %q is a browser's and has no origins; list those of its pages, or \"*\" for all", s.Name)
		case s.RateLimit < 0:
			return nil, fmt.Errorf("source %q has a negative rate limit; 0 is none", s.Name)
		}
		names[s.Name] = true
		source := s
		source.WriteKeys = nil // hashes are enough
		for _, key := range s.WriteKeys {
			if strings.TrimSpace(key) == "" || strings.ContainsAny(key, ":/") {
				return nil, fmt.Errorf("source %q has an unusable write key; a key is not blank and has neither a colon nor a slash", s.Name)
			}
			if other := keys.find(key); other != nil {
				return nil, fmt.Errorf("sources %q and %q share a write key; give each its own", other.source.Name, s.Name)
			}
			keys = append(keys, &credential{sha256.Sum256([]byte(key)), &source, newLimiter(s.RateLimit)})
		}
	}
	return keys, nil
}

// find returns a write key, or nil where it belongs to no source.
func (k keyring) find(key string) *credential {
	hash := sha256.Sum256([]byte(key))
	var found *credential
	for _, c := range k {
		if subtle.ConstantTimeCompare(hash[:], c.hash[:]) == 1 {
			found = c
		}
	}
	return found
}

// authenticate returns the first key that belongs to a source. An unknown key is passed over, since proxies add a Basic auth of their own.
func (k keyring) authenticate(r *http.Request, keys ...string) (*credential, error) {
	given := false
	for _, key := range keys {
		if key == "" {
			continue
		}
		given = true
		c := k.find(key)
		switch {
		case c == nil:
		case c.source.Disabled:
			return nil, errDisabled
		case !c.source.allows(r):
			return nil, errOrigin
		default:
			return c, nil
		}
	}
	if !given {
		return nil, errNoKey
	}
	return nil, errUnknownKey
}

// basicKey returns the user name of Basic auth, or "". http.Request.BasicAuth
// would refuse a user name without a colon, which Segment accepts (segment-docs,
// http-api).
func basicKey(r *http.Request) string {
	scheme, encoded, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Basic") {
		return ""
	}
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(encoded), "="))
	if err != nil {
		return ""
	}
	key, _, _ := strings.Cut(string(decoded), ":")
	return key
}

// queryKey returns the write key in the address, for sendBeacon and pixels,
// which can set no header.
func queryKey(r *http.Request) string { return r.URL.Query().Get("writeKey") }
