package ingest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/ingest"
	"github.com/verobridge/verobridge/internal/event"
)

const veroHook = "/webhooks/vero/wk_vero"

// TestVeroSamples posts every known form of webhook and compares the Segment
// calls that come of them.
func TestVeroSamples(t *testing.T) {
	t.Parallel()
	for _, file := range samples(t, "vero/*.json") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d := open(t, ingest.Options{})
			d.do(t, http.MethodPost, veroHook, string(body)).succeeds(t)
			golden(t, strings.TrimSuffix(file, ".json")+".golden", written(t, d.spool.take()))
		})
	}
}

func TestVeroTypes(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	for kind, want := range map[string]string{
		"sent":         "track Email Sent",
		"delivered":    "track Email Delivered",
		"opened":       "track Email Opened",
		"clicked":      "track Email Link Clicked",
		"bounced":      "track Email Bounced",
		"unsubscribed": "track Email Unsubscribed",
		"complained":   "track Email Marked as Spam",
		"failed":       "track Email Failed",
		"converted":    "track Email Converted",
		"resubscribed": "track Email Resubscribed",
		"user_created": "identify ",
		"user_updated": "identify ",
		// Not known yet.
		"deferred":   "track Email Deferred",
		"soft_fail_": "track Email Soft Fail",
	} {
		d.do(t, http.MethodPost, veroHook, `{"type":"`+kind+`","user":{"id":5},"`+kind+`_at":1435016238}`).succeeds(t)
		events := d.spool.take()
		if len(events) != 1 {
			t.Fatalf("%s: %d events, want 1", kind, len(events))
		}
		e := events[0]
		if got := string(e.Type) + " " + e.Name(); got != want {
			t.Errorf("%s is %q, want %q", kind, got, want)
		}
		if e.Source != "vero" || e.UserID() != "5" || e.Get("timestamp").String() != "2015-06-22T23:37:18Z" ||
			e.Get("context.integration.name").String() != "Vero" || e.Get("sentAt").Exists() {
			t.Errorf("%s is stamped %s", kind, e.Body)
		}
	}
}

func TestVeroFields(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ hook, path, want string }{
		"16 digits":             {`"campaign":{"id":1235666234572456}`, "properties.campaign_id", `1235666234572456`},
		"20 digits":             {`"campaign":{"id":12356662345724561234}`, "properties.campaign_id", `12356662345724561234`},
		"string id":             {`"campaign":{"id":"987"}`, "properties.campaign_id", `"987"`},
		"unknown campaign":      {`"campaign":{"shape":"round"}`, "properties.campaign_shape", `"round"`},
		"unknown field":         {`"weather":{"rain":1.50}`, "properties.weather.rain", `1.50`},
		"message_id":            {`"message_id":"m@veromail"`, "properties.email_id", `"m@veromail"`},
		"message_id in context": {`"message_id":"m@veromail"`, "context.messageId", `"m@veromail"`},
		"url":                   {`"url":"https://x.test/"`, "properties.link_url", `"https://x.test/"`},
		"link":                  {`"link":"https://x.test/"`, "properties.link_url", `"https://x.test/"`},
		"link_url":              {`"link_url":"https://x.test/"`, "properties.link_url", `"https://x.test/"`},
		"opened_at":             {`"opened_at":1435016238`, "properties.opened_at", `1435016238`},
		"ip":                    {`"ip":"203.0.113.9"`, "context.ip", `"203.0.113.9"`},
		"user agent":            {`"user_agent":"UA"`, "context.userAgent", `"UA"`},
		"trigger data":          {`"event":{"name":"purchased","data":{"n":9007199254740993}}`, "properties.trigger.data.n", `9007199254740993`},
		"id of the webhook":     {`"id":"h1"`, "properties.webhook_id", `"h1"`},
		"time as text":          {`"opened_at":"1435016238"`, "timestamp", `"2015-06-22T23:37:18Z"`},
		"time in RFC 3339":      {`"opened_at":"2015-06-22T23:37:18Z"`, "timestamp", `"2015-06-22T23:37:18Z"`},
		"time that is none":     {`"opened_at":1e99`, "timestamp", `"2026-11-21T17:00:00Z"`},
		"no time":               {`"opened_at":null`, "timestamp", `"2026-11-21T17:00:00Z"`},
		"repeated key":          {`"url":"a","url":"b"`, "properties.link_url", `"b"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, ingest.Options{})
			d.do(t, http.MethodPost, veroHook, `{"type":"opened","user":{"id":5,"email":"jane@example.com"},`+tt.hook+`}`).succeeds(t)
			if got := d.spool.take()[0].Get(tt.path).Raw; got != tt.want {
				t.Errorf("%s is %s, want %s", tt.path, got, tt.want)
			}
		})
	}
}

func TestVeroIdentity(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	for user, want := range map[string][2]string{
		`{"id":123,"email":"jane@example.com"}`:  {"123", ""},
		`{"id":"abc","email":null}`:              {"abc", ""},
		`{"id":null,"email":"jane@example.com"}`: {"", "jane@example.com"},
		`{"id":" ","email":"jane@example.com"}`:  {"", "jane@example.com"},
		`{"email":"jane@example.com"}`:           {"", "jane@example.com"},
	} {
		d.do(t, http.MethodPost, veroHook, `{"type":"opened","user":`+user+`}`).succeeds(t)
		e := d.spool.take()[0]
		if got := [2]string{e.UserID(), e.AnonymousID()}; got != want {
			t.Errorf("user %s is %q, want %q", user, got, want)
		}
	}
}

// A webhook that is sent again is the same event, however it is written.
func TestVeroRepeats(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	same := []string{
		`{"type":"opened","opened_at":1435016238,"user":{"id":1,"email":"é+<x>@example.com"}}`,
		"\n{ \"user\":{\"email\":\"\\u00e9+\\u003cx>@example.com\",\"id\":1} , \"opened_at\":1435016238,\"type\":\"opened\"}",
		`[null,{"type":"opened","opened_at":1435016238,"user":{"id":1,"email":"é+<x>@example.com"}}]`,
		url.QueryEscape(`{"type":"opened","opened_at":1435016238,"user":{"id":1,"email":"é+<x>@example.com"}}`),
	}
	ids := make(map[string]bool)
	for _, body := range same {
		d.do(t, http.MethodPost, veroHook, body).succeeds(t)
		ids[d.spool.take()[0].ID] = true
	}
	if len(ids) != 1 {
		t.Errorf("one webhook has the ids %v", ids)
	}
	d.do(t, http.MethodPost, veroHook, `{"type":"opened","opened_at":1435016239,"user":{"id":1,"email":"é+<x>@example.com"}}`).succeeds(t)
	if id := d.spool.take()[0].ID; ids[id] || !strings.HasPrefix(id, "vero-") {
		t.Errorf("an open a second later has id %s", id)
	}
}

func TestVeroArray(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	d.do(t, http.MethodPost, veroHook, `[{"type":"sent","user":{"id":1}},7,{"type":"opened","user":{"id":2}},{"type":"opened"}]`).succeeds(t)
	if n := d.spool.count(); n != 1 {
		t.Errorf("%d appends, want 1", n)
	}
	var got []string
	for _, e := range d.spool.take() {
		got = append(got, string(e.Type)+":"+e.UserID()+e.Get("reason").String())
	}
	if want := "track:1 rejected:not_an_object track:2 rejected:no_identity"; strings.Join(got, " ") != want {
		t.Errorf("events are %v, want %s", got, want)
	}
	d.do(t, http.MethodPost, veroHook, `[]`).succeeds(t)
}

// A refused webhook is kept as Vero sent it.
func TestVeroRefused(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	for hook, reason := range map[string]string{
		`{"type":"opened","user":{}}`:                                event.ReasonNoIdentity,
		`{"type":"opened","id":7,"email":"a@example.com"}`:           event.ReasonNoIdentity,
		`{"type":"user_created"}`:                                    event.ReasonNoIdentity,
		`{"user":{"id":1}}`:                                          event.ReasonUnknownType,
		`{"type":"; drop table","user":{"id":1}}`:                    event.ReasonUnknownType,
		`{"type":5,"user":{"id":1}}`:                                 event.ReasonUnknownType,
		`{"type":"opened","user":{"id":{}}}`:                         event.ReasonInvalidID,
		`{"type":"` + strings.Repeat("x", 50) + `","user":{"id":1}}`: event.ReasonUnknownType,
	} {
		d.do(t, http.MethodPost, veroHook, hook).succeeds(t)
		e := d.spool.take()[0]
		var kept struct{ Reason, Body string }
		if err := json.Unmarshal(e.Body, &kept); err != nil {
			t.Fatal(err)
		}
		if e.Type != event.Rejected || kept.Reason != reason || kept.Body != hook {
			t.Errorf("%s is kept as %s %s, want reason %s", hook, e.Type, e.Body, reason)
		}
	}
}

func TestVeroRefusesRequest(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	d.do(t, http.MethodPost, veroHook, `hello`).fails(t, http.StatusBadRequest, "malformed_json")
	d.do(t, http.MethodPost, veroHook, ``).fails(t, http.StatusBadRequest, "malformed_json")
	d.do(t, http.MethodPost, veroHook, `"hello"`).fails(t, http.StatusBadRequest, "invalid_webhook")
	d.do(t, http.MethodPost, veroHook, `null`).fails(t, http.StatusBadRequest, "invalid_webhook")
	d.do(t, http.MethodPost, "/webhooks/vero/wk_nobody", `{}`).fails(t, http.StatusUnauthorized, "unknown_write_key")
	d.do(t, http.MethodPost, "/webhooks/vero/wk_test", `{}`).fails(t, http.StatusUnauthorized, "unknown_write_key")
	d.do(t, http.MethodGet, veroHook, ``).fails(t, http.StatusMethodNotAllowed, "method_not_allowed")
	if events := d.spool.take(); len(events) != 0 {
		t.Errorf("%d events were kept", len(events))
	}
}
