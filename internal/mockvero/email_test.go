package mockvero

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// bridge remembers what is posted to it.
type bridge struct {
	mu      sync.Mutex
	posts   []post
	refuse  []int // statuses to answer with first
	address string
}

type post struct{ path, user, body string }

func newBridge(t *testing.T, refuse ...int) *bridge {
	t.Helper()
	b := &bridge{refuse: refuse}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		defer b.mu.Unlock()
		user, _, _ := r.BasicAuth()
		b.posts = append(b.posts, post{r.URL.Path, user, string(body)})
		if len(b.refuse) > 0 {
			w.WriteHeader(b.refuse[0])
			b.refuse = b.refuse[1:]
		}
	}))
	t.Cleanup(web.Close)
	b.address = web.URL
	return b
}

func (b *bridge) got() []post {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.posts)
}

func event(id, email, name string) string {
	return fmt.Sprintf(`POST events/track {"auth_token":"T","identity":{"id":%q,"email":%q},"event_name":%q}`, id, email, name)
}

// TestReportShapes compares each kind of report, in both forms, with a golden
// file: the shapes are those of Vero's published samples.
func TestReportShapes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 6, 10, 15, 30, 0, time.UTC)
	people := map[string]email{
		"known":   {userID: "1000", address: "jane@example.com"},
		"address": {userID: "jane@example.com", address: "jane@example.com"},
	}
	for who, mail := range people {
		mail.event, mail.at = "Viewed product", at
		for i := range mail.key {
			mail.key[i] = byte(i)
		}
		for k := range segmentNames {
			for form, body := range map[Form][]byte{FormWebhook: mail.webhook(k, at), FormSegment: mail.segmentCall(k, at)} {
				name := fmt.Sprintf("%s.%s.%s.json", form, k, who)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					var got bytes.Buffer
					if err := json.Indent(&got, body, "", "  "); err != nil {
						t.Fatal(err)
					}
					got.WriteByte('\n')
					file := filepath.Join("testdata", name)
					if *update {
						if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
							t.Fatal(err)
						}
						return
					}
					want, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(string(want), got.String()); diff != "" {
						t.Errorf("report (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

func TestWebhookFieldsAreVeros(t *testing.T) {
	t.Parallel()
	mail := email{userID: "123", address: "jane@example.com", event: "purchased item"}
	for k := range segmentNames {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			sample, err := os.ReadFile(filepath.Join("testdata", "samples", string(k)+".json"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(shape(gjson.ParseBytes(sample)), shape(gjson.ParseBytes(mail.webhook(k, time.Now())))); diff != "" {
				t.Errorf("fields (-sample +ours):\n%s", diff)
			}
		})
	}
}

// shape returns the fields of an object, with the types of their values.
func shape(v gjson.Result) map[string]string {
	fields := make(map[string]string)
	v.ForEach(func(key, value gjson.Result) bool {
		fields[key.Str] = value.Type.String()
		if value.IsObject() {
			for name, kind := range shape(value) {
				fields[key.Str+"/"+name] = kind
			}
		}
		return true
	})
	return fields
}

func TestEmailsInBothForms(t *testing.T) {
	t.Parallel()
	for _, form := range []Form{FormWebhook, FormSegment} {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			b := newBridge(t)
			s := New(Options{Bridge: b.address + "/", WriteKey: "key", Form: form, Pace: time.Millisecond})
			base := start(t, s)
			for i := range 4 {
				must(t, base, event(fmt.Sprintf("u-%d", i), fmt.Sprintf("u-%d@example.com", i), "Ping"))
			}
			s.Close()

			want := map[string]int{"sent": 4, "delivered": 3, "opened": 3, "clicked": 1, "bounced": 1, "unsubscribed": 1, "complained": 1}
			if diff := cmp.Diff(want, s.Effects().Emails); diff != "" {
				t.Errorf("emails (-want +got):\n%s", diff)
			}
			got := make(map[string]int)
			for _, p := range b.got() {
				v := gjson.Parse(p.body)
				if form == FormWebhook {
					got[v.Get("type").Str]++
					if p.path != "/webhooks/vero/key" || p.user != "" {
						t.Errorf("posted to %s as %q", p.path, p.user)
					}
					continue
				}
				for k, name := range segmentNames {
					if name == v.Get("event").Str {
						got[string(k)]++
					}
				}
				if p.path != "/v1/track" || p.user != "key" {
					t.Errorf("posted to %s as %q", p.path, p.user)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("posts (-want +got):\n%s", diff)
			}

			users := s.Effects().Users
			if u := users["u-1"]; !u.Suppressed || u.Mailable() {
				t.Error("a person whose email bounced is still mailed")
			}
			if u := users["u-2"]; u.Subscribed || u.Mailable() {
				t.Error("a person who unsubscribed is still mailed")
			}
			if u := users["u-3"]; !u.Suppressed || u.Mailable() {
				t.Error("a person who complained is still mailed")
			}
			if u := users["u-0"]; !u.Mailable() {
				t.Error("a person who opened is no longer mailed")
			}
		})
	}
}

func TestWhoGetsNoEmail(t *testing.T) {
	t.Parallel()
	b := newBridge(t)
	s := New(Options{Bridge: b.address, Workflows: []string{"Viewed Product"}, Pace: time.Millisecond})
	base := start(t, s)
	must(t, base,
		event("other", "other@example.com", "Ping"),
		`POST events/track {"auth_token":"T","identity":{"id":"addressless"},"event_name":"Viewed product"}`,
		`POST users/track {"auth_token":"T","id":"unsubscribed","email":"u@example.com"}`,
		`POST users/unsubscribe {"auth_token":"T","id":"unsubscribed"}`,
		event("unsubscribed", "u@example.com", "Viewed product"),
		event("once", "once@example.com", "viewed_product"),
		event("once", "once@example.com", "viewed_product"),
	)
	s.Close()
	if got := s.Effects().Emails["sent"]; got != 1 {
		t.Errorf("%d emails sent, want 1", got)
	}
	for _, p := range b.got() {
		if got := gjson.Get(p.body, "user.id").Str; got != "once" {
			t.Errorf("an email went to %q", got)
		}
	}
}

func TestReportsAreTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBridge(t, 503, 429)
	s := New(Options{Bridge: b.address, Pace: time.Millisecond})
	base := start(t, s)
	must(t, base, event("1", "jane@example.com", "Ping"))
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for s.Effects().Emails["clicked"] == 0 {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the email was not reported: %+v", s.Effects())
		}
	}
	posts := b.got()
	if len(posts) != 6 || posts[0].body != posts[1].body || posts[1].body != posts[2].body {
		t.Errorf("%d posts, want the first one three times: %v", len(posts), posts)
	}
	if dropped := s.Effects().EmailsDropped; dropped != 0 {
		t.Errorf("%d dropped", dropped)
	}
}

func TestRefusedReportIsDropped(t *testing.T) {
	t.Parallel()
	b := newBridge(t, 401)
	s := New(Options{Bridge: b.address, Pace: time.Millisecond})
	base := start(t, s)
	must(t, base, event("1", "jane@example.com", "Ping"))
	s.Close()
	if got := s.Effects(); got.EmailsDropped != 1 || got.Emails["sent"] != 0 || got.Emails["delivered"] != 1 {
		t.Errorf("emails %v, dropped %d", got.Emails, got.EmailsDropped)
	}
}

// TestCourses states that an email's course depends on its event alone, starts
// with sent, and that the shares are realistic.
func TestCourses(t *testing.T) {
	t.Parallel()
	const n = 20_000
	share := make(map[kind]int)
	for i := range n {
		mail := email{number: len(firstCourses), key: eventKeyOf(i)}
		course := mail.course()
		if !slices.Equal(course, mail.course()) {
			t.Fatal("the same email has two courses")
		}
		if course[0] != sent || len(course) < 2 {
			t.Fatalf("course %v", course)
		}
		for _, k := range course {
			share[k]++
		}
	}
	for k, want := range map[kind][2]float64{
		sent: {1, 1}, delivered: {.97, .99}, bounced: {.01, .03}, opened: {.42, .46},
		clicked: {.11, .15}, unsubscribed: {.002, .007}, complained: {.0002, .003},
	} {
		if got := float64(share[k]) / n; got < want[0] || got > want[1] {
			t.Errorf("share of %s is %.4f, want %v", k, got, want)
		}
	}
	var all []kind
	for _, course := range firstCourses {
		all = append(all, course...)
	}
	slices.Sort(all)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(segmentNames)), slices.Compact(all)); diff != "" {
		t.Errorf("kinds of the first courses (-want +got):\n%s", diff)
	}
}

func eventKeyOf(i int) digest {
	return eventKey(params{body: gjson.Parse(fmt.Sprintf(`{"event_name":"E","identity":{"id":"%d"}}`, i))})
}
