package siege

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// Target is the bridge to attack, and what an attacker has got hold of.
type Target struct {
	// Address of the public listener, host:port.
	Address string
	// From is the address that the attacker sends from. Defaults to what the
	// system takes.
	From string
	// WriteKey opens a source for apps. Attackers have it where a request must get
	// past the key to do its harm.
	WriteKey string
	// BrowserKey is one that everybody can read in a page of Origin.
	BrowserKey, Origin string
	// WebhookKey is the one in the address that Vero posts to, once overheard.
	WebhookKey string
}

// attack is one kind of harm. One of start and request is set.
type attack struct {
	name, what string
	// start is what a connection sends before it falls silent, drip what it sends
	// now and then so as not to be taken for dead.
	start func(Target) string
	drip  string
	// request is what is sent again and again.
	request func(Target) request
}

// request is one of a flood.
type request struct {
	path    string
	headers map[string]string
	user    string // of Basic auth
	body    []byte
}

const (
	headless = "POST /v1/batch HTTP/1.1\r\nHost: bridge\r\n"
	// bodyBytes is the largest body that the bridge accepts where it is not told
	// otherwise.
	bodyBytes = 4 << 20
)

var attacks = []attack{
	{name: "silence", what: "connections on which nothing is ever sent", start: func(Target) string { return "" }},
	{name: "slow-headers", what: "slow-loris: headers that never end", start: func(Target) string { return headless }, drip: "X-Slow: 1\r\n"},
	{name: "slow-bodies", what: "bodies of 4 MiB that come a byte at a time", start: announced(1), drip: " "},
	{name: "fat-bodies", what: "bodies of 4 MiB but for the end, which never comes", start: announced(bodyBytes - 1024), drip: " "},

	{name: "gzip-bomb", what: "a megabyte that inflates to a gigabyte", request: func(t Target) request {
		return request{path: "/v1/batch", user: t.WriteKey, headers: map[string]string{"Content-Encoding": "gzip"}, body: bomb()}
	}},
	{name: "deep-json", what: "JSON of 100,000 levels", request: func(t Target) request {
		return request{path: "/v1/batch", user: t.WriteKey, body: deep()}
	}},
	{name: "wide-json", what: "JSON of 280,000 fields, with a key that opens nothing", request: func(Target) request {
		return request{path: "/v1/track", user: "nobody", body: wide()}
	}},
	{name: "forged-webhook", what: "webhooks with a guessed key", request: func(Target) request {
		return request{path: "/webhooks/vero/guessed", body: hook}
	}},
	{name: "replayed-webhook", what: "a webhook that was overheard, again and again", request: func(t Target) request {
		return request{path: "/webhooks/vero/" + t.WebhookKey, body: hook}
	}},
	{name: "stolen-key", what: "a browser's key, from a program that names the page's origin", request: func(t Target) request {
		return stolen(t, t.Origin)
	}},
	{name: "foreign-page", what: "a browser's key, from another site's page", request: func(t Target) request {
		return stolen(t, "https://attacker.example")
	}},
	{name: "header-flood", what: "a megabyte of headers", request: func(t Target) request {
		return request{path: "/v1/batch", user: t.WriteKey, headers: map[string]string{"Cookie": cookies()}, body: []byte(`{"batch":[]}`)}
	}},
}

// announced returns the beginning of a request with a body of bodyBytes, and so
// much of it.
func announced(sent int) func(Target) string {
	start := sync.OnceValue(func() string {
		return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", headless, bodyBytes, strings.Repeat(" ", sent))
	})
	return func(Target) string { return start() }
}

func stolen(t Target, origin string) request {
	return request{
		path: "/v1/identify", user: t.BrowserKey, headers: map[string]string{"Origin": origin},
		body: []byte(`{"userId":"victim","traits":{"email":"attacker@example.com"}}`),
	}
}

var hook = []byte(`{"type":"opened","user":{"id":"victim","email":"victim@example.com"},"campaign":{"id":1,"name":"Welcome"},"opened_at":1760000000}`)

// The large ones are made when they are needed: the program that attacks is the
// one that serves.
var (
	deep    = sync.OnceValue(func() []byte { return []byte(strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)) })
	cookies = sync.OnceValue(func() string { return strings.Repeat("x", 1<<20) })
	wide    = sync.OnceValue(func() []byte { return manyFields(280_000) })
	bomb    = sync.OnceValue(func() []byte { return bytes.Repeat(zeroes(1<<20), 1<<10) })
)

func manyFields(n int) []byte {
	body := bytes.NewBufferString(`{"userId":"u","event":"x"`)
	for i := range n {
		fmt.Fprintf(body, `,"%07d":0`, i)
	}
	body.WriteString(`}`)
	return body.Bytes()
}

// zeroes returns a gzip stream of n bytes. Many, one after the other, are one
// stream too.
func zeroes(n int) []byte {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(make([]byte, n)); err != nil {
		panic(err) // memory takes everything
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return zipped.Bytes()
}

// Expected is how the bridge answers the attacks that it answers, by name: the
// status that shows that an attack got as far as it was meant to.
var Expected = map[string]int{
	"gzip-bomb":        http.StatusBadRequest,
	"deep-json":        http.StatusBadRequest,
	"wide-json":        http.StatusUnauthorized,
	"forged-webhook":   http.StatusUnauthorized,
	"replayed-webhook": http.StatusOK,
	"stolen-key":       http.StatusTooManyRequests,
	"foreign-page":     http.StatusForbidden,
	"header-flood":     http.StatusRequestHeaderFieldsTooLarge,
}
