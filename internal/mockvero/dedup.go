package mockvero

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// digest stands for all that makes two events equal.
type digest [sha256.Size]byte

// eventKey returns what Vero tells events apart by: token, name, identity, and
// data; without data, extras.check_id.
func eventKey(p params) digest {
	var rest bytes.Buffer
	_ = json.Compact(&rest, []byte(p.body.Get("data").Raw)) // fails on nothing, which it leaves
	if data := rest.String(); data == "" || data == "{}" || data == "null" {
		rest.Reset()
		rest.WriteString("check_id " + p.body.Get("extras.check_id").Raw)
	}
	id := cmp.Or(p.text("identity.id"), p.text("identity.email"))
	return sha256.Sum256([]byte(strings.Join([]string{p.token(), sameName(p.text("event_name")), id, rest.String()}, "\x00")))
}

// sameName returns the form under which Vero compares event names: case, spaces
// and underscores make no difference.
func sameName(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", " "))
}

// recent remembers keys for a window of time.
type recent struct {
	window time.Duration
	until  map[digest]time.Time
	swept  time.Time
}

// repeated says whether the key was new within the window, and remembers it if
// not. A repetition does not prolong the window.
func (r *recent) repeated(key digest, now time.Time) bool {
	if until, ok := r.until[key]; ok && now.Before(until) {
		return true
	}
	if now.Sub(r.swept) > r.window {
		for k, until := range r.until {
			if !now.Before(until) {
				delete(r.until, k)
			}
		}
		r.swept = now
	}
	r.until[key] = now.Add(r.window)
	return false
}

func rawOrNil(v gjson.Result) json.RawMessage {
	if v.Raw == "" {
		return nil
	}
	return json.RawMessage(v.Raw)
}
