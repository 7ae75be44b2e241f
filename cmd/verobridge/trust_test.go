package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/mockvero"
)

const (
	publicKey    = "test-key-in-a-page"
	publicOrigin = "https://www.example.com"
	// triggersPerHour is few, so that a flood need not be large.
	triggersPerHour = 5
)

// mailbox takes the reports of the mock of Vero and notes who got an email.
type mailbox struct {
	mu     sync.Mutex
	mailed map[string]bool
}

func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	m.mailed[gjson.GetBytes(body, "user.email").String()] = true
	m.mu.Unlock()
	_, _ = io.WriteString(w, `{"success":true}`)
}

// addresses returns who got an email.
func (m *mailbox) addresses() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.mailed)
}

// attack is what somebody does who read a write key in a page. {n} stands for
// the attack's number: c{n} is a customer, c{n}@example.com the address that a
// server gave to Vero, and s{n}@example.com a stranger.
type attack struct {
	path string // of a GET where there is no body
	body string
	// harm says whether it worked.
	harm func(a aftermath) bool
	// reason is what the delivery says where it did not.
	reason string
}

// aftermath is what has become of the people of one attack.
type aftermath struct {
	customer         mockvero.User
	customerMailed   bool
	strangerMailed   bool
	customerVanished bool
	requests         string // to Vero that name the customer
}

func mailsStranger(a aftermath) bool { return a.strangerMailed }
func mailsCustomer(a aftermath) bool { return a.customerMailed }

var attacks = map[string]attack{
	"address as userId": {
		path: "/v1/t", body: `{"userId":"s{n}@example.com","event":"Signed Up"}`,
		harm: mailsStranger, reason: "browser_address",
	},
	"address in the context": {
		path: "/v1/t", body: `{"anonymousId":"x{n}","event":"Signed Up","context":{"traits":{"email":"s{n}@example.com"}}}`,
		harm: mailsStranger, reason: "browser_address",
	},
	"address in the context of the envelope": {
		path: "/v1/b", body: `{"context":{"traits":{"email":"s{n}@example.com"}},"batch":[{"type":"track","userId":"n{n}","event":"Signed Up","messageId":"attack-{n}"}]}`,
		harm: mailsStranger, reason: "browser_withheld",
	},
	"stranger introduced by identify, then an event": {
		path: "/v1/batch", body: `{"batch":[{"type":"identify","userId":"n{n}","traits":{"email":"s{n}@example.com"}},{"type":"track","userId":"n{n}","event":"Signed Up","messageId":"attack-{n}"}]}`,
		harm: mailsStranger, reason: "delivered",
	},
	"stranger introduced by group, then an event": {
		path: "/v1/import", body: `{"batch":[{"type":"group","userId":"n{n}","groupId":"g","context":{"traits":{"email":"s{n}@example.com"}}},{"type":"track","userId":"n{n}","event":"Signed Up","messageId":"attack-{n}"}]}`,
		harm: mailsStranger, reason: "delivered",
	},
	"stranger introduced by a page call": {
		path: "/v1/p", body: `{"userId":"n{n}","name":"Home","context":{"traits":{"email":"s{n}@example.com"}}}`,
		harm: mailsStranger, reason: "browser_event",
	},
	"address with the event, spoofed as a server's": {
		path: "/v1/batch", body: `{"batch":[{"type":"track","userId":"n{n}","event":"Signed Up","channel":"server","source":"backend","trust":"server","receivedAt":"2020-01-01T00:00:00Z","context":{"traits":{"email":"s{n}@example.com"},"library":{"name":"analytics-go"}},"messageId":"attack-{n}"}]}`,
		harm: mailsStranger, reason: "browser_withheld",
	},
	"address in a pixel": {
		path: "/v1/pixel/track?writeKey=" + publicKey + "&userId=s{n}@example.com&event=Signed+Up&messageId=attack-{n}",
		harm: mailsStranger, reason: "browser_address",
	},
	"customer's address changed": {
		path: "/v1/i", body: `{"userId":"c{n}","traits":{"email":"s{n}@example.com"}}`,
		harm: func(a aftermath) bool { return !strings.HasPrefix(a.customer.Email, "c") }, reason: "browser_withheld",
	},
	"customer's address changed by a screen call": {
		path: "/v1/s", body: `{"userId":"c{n}","name":"Home","context":{"traits":{"email":"s{n}@example.com"}}}`,
		harm: func(a aftermath) bool { return !strings.HasPrefix(a.customer.Email, "c") }, reason: "browser_event",
	},
	"address among the properties": {
		path: "/v1/t", body: `{"userId":"c{n}","event":"Signed Up","properties":{"email":"s{n}@example.com"}}`,
		harm: func(a aftermath) bool { return strings.Contains(a.requests, `"email":"s`) }, reason: "browser_withheld",
	},
	"phone number and push channel": {
		path: "/v1/i", body: `{"userId":"c{n}","traits":{"phone_number":"+4912345"},"context":{"device":{"token":"stolen","type":"ios"}}}`,
		harm: func(a aftermath) bool { return a.customer.Channels != nil || a.customer.Data["phone_number"] != nil }, reason: "browser_withheld",
	},
	"customer taken over by alias": {
		path: "/v1/a", body: `{"previousId":"c{n}","userId":"n{n}"}`,
		harm: func(a aftermath) bool { return a.customerVanished }, reason: "browser_call",
	},
	"customer tagged": {
		path: "/v1/t", body: `{"userId":"c{n}","event":"Signed Up","integrations":{"Vero":{"tags":{"add":["vip"]}}}}`,
		harm: func(a aftermath) bool { return len(a.customer.Tags) > 0 }, reason: "browser_withheld",
	},
	"customer unsubscribed": {
		path: "/v1/t", body: `{"userId":"c{n}","event":"Unsubscribe"}`,
		harm: func(a aftermath) bool { return !a.customer.Subscribed }, reason: "browser_call",
	},
	"customer unsubscribed by a property": {
		path: "/v1/t", body: `{"anonymousId":"x{n}","event":"Unsubscribed","properties":{"id":"c{n}"}}`,
		harm: func(a aftermath) bool { return !a.customer.Subscribed }, reason: "browser_call",
	},
	"event that is not listed": {
		path: "/v1/t", body: `{"userId":"c{n}","event":"Password Reset"}`,
		harm: mailsCustomer, reason: "browser_event",
	},
	"event by the name that Vero knows it by": {
		path: "/v1/t", body: `{"userId":"c{n}","event":"Signed up"}`,
		harm: mailsCustomer, reason: "browser_event",
	},
	"flood": {
		path: "/v1/b", body: `{"batch":[` + strings.Repeat(`{"type":"track","userId":"c{n}","event":"Signed Up"},`, 3*triggersPerHour) + `{"type":"track","userId":"c{n}","event":"Signed Up","messageId":"attack-{n}"}]}`,
		harm: func(a aftermath) bool { return len(a.customer.Events) > triggersPerHour }, reason: "browser_triggers",
	},
}

// A write key in a page is public. Everything in attacks works with a key that
// is trusted, as it must for a server, and nothing of it with a browser's key.
func TestPublicWriteKeyHarmsNobody(t *testing.T) {
	t.Parallel()
	for _, trust := range []string{trustServer, trustBrowser} {
		t.Run(trust, func(t *testing.T) {
			t.Parallel()
			letters := &mailbox{mailed: make(map[string]bool)}
			sink := httptest.NewServer(letters)
			t.Cleanup(sink.Close)
			vero := mockvero.New(mockvero.Options{AuthToken: veroToken, Bridge: sink.URL, WriteKey: veroKey})
			s := testSettings(t, serve(t, vero))
			web := sourceSettings{Name: "web", WriteKeys: []string{publicKey}, Origins: []string{publicOrigin}, Destinations: []string{"vero"}, Trust: trust}
			if trust == trustBrowser {
				web.Events, web.TriggersPerHour = []string{"Signed Up"}, triggersPerHour
			}
			s.Sources = append(s.Sources, web)
			b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
			w := &world{bridge: b, db: connect(t, s.Warehouse.URL), vero: vero, url: "http://" + b.publicAddr}

			numbers := make(map[string]string)
			for name := range attacks {
				n := fmt.Sprint(100 + len(numbers))
				numbers[name] = n
				w.post(t, "/v1/identify", appKey, []byte(`{"userId":"c`+n+`","traits":{"email":"c`+n+`@example.com"}}`))
			}
			w.post(t, "/v1/identify", appKey, []byte(`{"userId":"visitor","traits":{"email":"visitor@example.com"}}`))
			w.settle(t, "customers")
			for name, a := range attacks {
				w.attack(t, a, numbers[name])
			}
			// What the key is for.
			w.visit(t, "/v1/t", `{"userId":"visitor","event":"Signed Up","messageId":"visit"}`)
			w.settle(t, "attacks")
			vero.Close() // every email is out

			effects, mailed := vero.Effects(), letters.addresses()
			for name, a := range attacks {
				n := numbers[name]
				customer, known := effects.Users["c"+n]
				harmed := a.harm(aftermath{
					customer:         customer,
					customerVanished: !known,
					customerMailed:   mailed["c"+n+"@example.com"],
					strangerMailed:   mailed["s"+n+"@example.com"],
					requests:         requestsNaming(vero, "c"+n),
				})
				if harmed != (trust == trustServer) {
					t.Errorf("%s: worked is %t with a key of trust %s", name, harmed, trust)
				}
				if trust == trustServer {
					continue
				}
				var reason, detail string
				err := w.db.QueryRow(t.Context(), `select reason, detail from verobridge.deliveries where source = 'web' and destination = 'vero' and message_id = $1`, "attack-"+n).Scan(&reason, &detail)
				if err != nil || reason != a.reason {
					t.Errorf("%s: the delivery says %q %v, want %q", name, reason, err, a.reason)
				}
				if reason != "delivered" && detail == reason {
					t.Errorf("%s: there is no sentence for %s", name, reason)
				}
			}
			if !mailed["visitor@example.com"] {
				t.Error("the visitor who signed up got no email")
			}
			if trust == trustBrowser {
				for address := range mailed {
					if strings.HasPrefix(address, "s") {
						t.Errorf("%s got an email", address)
					}
				}
			}
			w.keepsWhatWasSent(t, numbers["customer's address changed"])
		})
	}
}

// attack sends one attack, under a messageId that the test finds again.
func (w *world) attack(t *testing.T, a attack, n string) {
	t.Helper()
	fill := func(text string) string { return strings.ReplaceAll(text, "{n}", n) }
	body := fill(a.body)
	if body == "" {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+fill(a.path), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Referer", publicOrigin+"/p")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return
	}
	if !strings.Contains(body, "attack-") {
		body = `{"messageId":"attack-` + n + `",` + body[1:]
	}
	w.visit(t, a.path, body)
}

// visit sends a call as a page of the source's origin does, or somebody who
// pretends to be one.
func (w *world) visit(t *testing.T, path, body string) {
	t.Helper()
	if status, text := w.fromPage(t, path, body, publicOrigin); status != http.StatusOK {
		t.Fatalf("%s is answered %d %s", body, status, text)
	}
}

// fromPage posts a call with the public key.
func (w *world) fromPage(t *testing.T, path, body, origin string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(publicKey, "")
	if origin != "" {
		request.Header.Set("Origin", origin)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(read)
}

// requestsNaming returns what was sent to Vero about a person.
func requestsNaming(vero *mockvero.Server, id string) string {
	var all strings.Builder
	for _, c := range vero.Calls() {
		if bytes.Contains(c.Body, []byte(`"`+id+`"`)) {
			all.Write(c.Body)
		}
	}
	return all.String()
}

// keepsWhatWasSent checks that the warehouse has the call as it was sent: what
// Vero must not get is still data.
func (w *world) keepsWhatWasSent(t *testing.T, n string) {
	t.Helper()
	var email string
	if err := w.db.QueryRow(t.Context(), `select email from web.identifies where id = $1`, "attack-"+n).Scan(&email); err != nil || email != "s"+n+"@example.com" {
		t.Errorf("the warehouse has the address %q, %v", email, err)
	}
}

// At the door a public key is refused for pages of other origins and for what
// is no page, for Vero's webhooks, and inside the batch of another source.
func TestPublicWriteKeyAtTheDoor(t *testing.T) {
	t.Parallel()
	s := testSettings(t, serve(t, mockvero.New(mockvero.Options{AuthToken: veroToken})))
	s.Sources = append(s.Sources, sourceSettings{
		Name: "web", WriteKeys: []string{publicKey}, Trust: trustBrowser, Origins: []string{publicOrigin}, Destinations: []string{"vero"},
	})
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	w := &world{bridge: b, db: connect(t, s.Warehouse.URL), url: "http://" + b.publicAddr}

	const call = `{"type":"track","userId":"u","event":"Signed Up"}`
	got := make(map[string]int)
	for name, c := range map[string]struct{ path, body, origin string }{
		"its page":      {"/v1/t", call, publicOrigin},
		"another page":  {"/v1/t", call, "https://evil.example"},
		"no page":       {"/v1/batch", `{"batch":[` + call + `]}`, ""},
		"Vero's hook":   {"/webhooks/vero/" + publicKey, `{"type":"sent","user":{"email":"a@example.com"}}`, publicOrigin},
		"another's key": {"/v1/batch", `{"batch":[{"writeKey":"` + appKey + `x","type":"track","userId":"u","event":"x"}]}`, publicOrigin},
	} {
		got[name], _ = w.fromPage(t, c.path, c.body, c.origin)
	}
	want := map[string]int{"its page": 200, "another page": 403, "no page": 403, "Vero's hook": 401, "another's key": 200}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}

	// By way of a source that lets other pages in, the call alone is refused.
	request := `{"batch":[{"writeKey":"` + publicKey + `","type":"track","userId":"u","event":"Signed Up"}]}`
	w.post(t, "/v1/batch", appKey, []byte(request))
	w.await(t, "both refusals", `select count(*) = 2 from verobridge.rejected_events where (source, reason) in (('app', 'origin_not_allowed'), ('web', 'unknown_write_key'))`)
}
