package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/mockvero"
	"github.com/verobridge/verobridge/internal/story"
	"github.com/verobridge/verobridge/outbound"
)

// whyWorld is a bridge whose settings have a reason for everything.
func whyWorld(t *testing.T) *world {
	t.Helper()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(t, serve(t, vero))
	s.Sources = append(s.Sources,
		sourceSettings{Name: "web", WriteKeys: []string{publicKey}, Trust: trustBrowser, Origins: []string{publicOrigin}, Events: []string{"Signed Up"}, TriggersPerHour: 1, Destinations: []string{"vero"}},
		sourceSettings{Name: "off", WriteKeys: []string{"key-of-disabled"}, Disabled: true},
		sourceSettings{Name: "slow", WriteKeys: []string{"key-of-limited"}, RateLimit: 1},
		sourceSettings{Name: "solo", WriteKeys: []string{"key-of-solo"}},
	)
	d := &s.Destinations[0]
	over := 100.0
	d.Events = map[string]outbound.EventRule{
		"Dropped":     {Drop: true},
		"Conditional": {If: map[string]outbound.Condition{"properties.total": {Greater: &over}}},
	}
	d.Consent = outbound.Consent{Required: []string{"marketing"}}
	d.HoldAnonymous = holdSettings{Events: []string{"Cart Viewed"}, For: "1h"}
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	return &world{bridge: b, db: connect(t, s.Warehouse.URL), vero: vero, url: "http://" + b.publicAddr}
}

// try sends a call whatever the answer is.
func (w *world) try(t *testing.T, path, key, body string, header ...string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		request.SetBasicAuth(key, "")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// wantVerdicts asks for each event until its verdict is the one, and says which
// are not.
func (w *world) wantVerdicts(t *testing.T, want map[string]string) {
	t.Helper()
	store, err := story.Open(story.Options{URL: w.bridge.settings.Warehouse.URL, Erased: erasedIn(w.bridge.people.Suppressions())})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for id, code := range want {
		var got []string
		for end := time.Now().Add(deadline); ; {
			stories, err := store.Event(t.Context(), id)
			if err != nil && !errors.Is(err, story.ErrNotPrepared) { // the loader is about to
				t.Fatal(err)
			}
			got = nil
			for _, s := range stories {
				got = append(got, s.Verdict.Code)
				for _, note := range s.Notes {
					got = append(got, "also "+note.Code)
				}
			}
			if len(got) > 0 && got[0] == code {
				break
			}
			if time.Now().After(end) {
				t.Errorf("%s: %v, want %s", id, got, code)
				break
			}
			pause(t, 50*time.Millisecond)
		}
	}
}

// Each cause at the door, and each reason not to send, has its verdict.
func TestWhyNotSent(t *testing.T) {
	t.Parallel()
	w := whyWorld(t)
	track := func(id, rest string) string { return fmt.Sprintf(`{"messageId":%q,"event":"E",%s}`, id, rest) }
	origin := []string{"Origin", publicOrigin}

	w.try(t, "/v1/track", "nobody-has-this-key", track("wrong-key", `"userId":"1"`))
	w.try(t, "/v1/track", "", track("without-key", `"userId":"1"`))
	w.try(t, "/v1/track", "key-of-disabled", track("disabled", `"userId":"1"`))
	w.try(t, "/v1/t", publicKey, track("foreign-page", `"userId":"1"`), "Origin", "https://stranger.example")
	w.try(t, "/v1/batch", "key-of-limited", `{"batch":[`+strings.Repeat(track("many", `"userId":"1"`)+",", 20)+track("last", `"userId":"1"`)+`]}`)
	w.try(t, "/v1/track", "key-of-limited", track("over-limit", `"userId":"1"`))
	w.try(t, "/v1/batch", appKey, `{"context":{"x":"`+strings.Repeat("x", 400_000)+`"},"batch":[`+strings.Repeat(`{"type":"page","messageId":"grown","userId":"1"},`, 99)+`{"type":"page","userId":"1"}]}`)

	w.post(t, "/v1/batch", appKey, []byte(`{"batch":[
		{"messageId":"r-type","type":"nothing","userId":"1"},
		{"messageId":"r-identity","type":"track","event":"E"},
		{"messageId":"r-event","type":"track","userId":"1"},
		{"messageId":"r-group","type":"group","userId":"1"},
		{"messageId":"r-previous","type":"alias","userId":"1"},
		{"messageId":"r-id","type":"track","event":"E","userId":{"a":1}},
		{"messageId":"r-field","type":"track","event":"E","userId":"1","properties":"none"},
		{"messageId":"r-key","type":"track","event":"E","userId":"1","writeKey":"nobody-has-this-key"},
		{"messageId":"r-fields","type":"track","event":"E","userId":"1","properties":{`+strings.Repeat(`"a":1,`, 10_000)+`"b":2}},
		{"messageId":"ok","type":"page","userId":"1"}]}`))

	for _, body := range []string{
		`{"messageId":"nobody","event":"E","anonymousId":"a1"}`,
		`{"messageId":"held","event":"Cart Viewed","anonymousId":"a2"}`,
		`{"messageId":"dropped","event":"Dropped","userId":"1"}`,
		`{"messageId":"condition","event":"Conditional","userId":"1","properties":{"total":5}}`,
		track("consent", `"userId":"1","context":{"consent":{"categoryPreferences":{"marketing":false}}}`),
		track("integrations", `"userId":"1","integrations":{"Vero":false}`),
		track("echo", `"userId":"1","context":{"integration":{"name":"Vero"}}`),
	} {
		w.post(t, "/v1/track", appKey, []byte(body))
	}
	w.post(t, "/v1/identify", appKey, []byte(`{"messageId":"identified","userId":"1","traits":{"email":"one@example.com"}}`))
	w.post(t, "/v1/group", appKey, []byte(`{"messageId":"grouped","userId":"1","groupId":"g"}`))
	w.post(t, "/v1/track", "key-of-solo", []byte(track("solo", `"userId":"1"`)))
	for id, body := range map[string]string{
		"b-event":   track("b-event", `"userId":"1"`),
		"b-address": `{"messageId":"b-address","event":"Signed Up","userId":"jane@example.com"}`,
		"b-call":    `{"messageId":"b-call","type":"alias","userId":"1","previousId":"2"}`,
	} {
		path := "/v1/t"
		if id == "b-call" {
			path = "/v1/a"
		}
		if status := w.try(t, path, publicKey, body, origin...); status != http.StatusOK {
			t.Errorf("%s: %d", id, status)
		}
	}
	for i := range 2 {
		w.try(t, "/v1/t", publicKey, fmt.Sprintf(`{"messageId":"b-cap-%d","event":"Signed Up","userId":"77"}`, i), origin...)
		w.await(t, "the trigger", `select count(*) = 1 from verobridge.deliveries where message_id = $1 and destination = 'vero'`, fmt.Sprint("b-cap-", i))
	}
	w.postCall(t, map[string]any{"type": "track", "event": "Email Sent", "messageId": "from-vero", "userId": "1"})

	w.wantVerdicts(t, map[string]string{
		"wrong-key": "unknown_write_key", "without-key": "missing_write_key", "disabled": "source_disabled",
		"foreign-page": "origin_not_allowed", "over-limit": "rate_limited", "grown": "events_too_large",

		"r-type": "rejected_unknown_type", "r-identity": "rejected_no_identity", "r-event": "rejected_no_event_name",
		"r-group": "rejected_no_group_id", "r-previous": "rejected_no_previous_id", "r-id": "rejected_invalid_id",
		"r-field": "rejected_invalid_field", "r-key": "rejected_unknown_write_key", "r-fields": "rejected_too_many_fields",

		"nobody": "no_identity", "held": "held", "dropped": "dropped_by_mapping", "condition": "filtered_by_condition",
		"consent": "no_consent", "integrations": "integrations_false", "echo": "loop_guard",
		"identified": "not_an_event", "solo": "not_routed", "ok": "not_an_event", "from-vero": "vero_reported_it",
		"b-event": "browser_event", "b-address": "browser_address", "b-call": "browser_call", "b-cap-1": "browser_rate_capped",
	})

	// What is held is given up when its time is over.
	if _, err := w.db.Exec(t.Context(), "update verobridge.held_events set expires_at = now() - interval '1 minute'"); err != nil {
		t.Fatal(err)
	}
	stopBridge(t, w.bridge) // the next start sweeps at once
	w.bridge = startTestBridge(t, w.bridge.settings, w.bridge.log)
	w.url = "http://" + w.bridge.publicAddr
	w.wantVerdicts(t, map[string]string{"held": "held_expired"})
}

// While Vero fails, the verdict says how; and what it refuses for good is dead.
func TestWhyWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	send := func(id, user string) { w.post(t, "/v1/track", appKey, trackCall(id, user)) }
	over := func(ids ...string) {
		w.vero.ClearFaults()
		for _, id := range ids {
			w.await(t, "the end of "+id, `select status <> 'waiting' from verobridge.deliveries where message_id = $1 and destination = 'vero'`, id)
		}
	}
	send("first", "0")
	w.wantVerdicts(t, map[string]string{"first": "no_email_yet"})

	for code, fault := range map[string]mockvero.Fault{
		"paused_credentials_refused": {Status: http.StatusUnauthorized},
		"paused_throttled":           {Status: http.StatusTooManyRequests, RetryAfter: "3"},
		"paused_wrong_url":           {Status: http.StatusNotFound, Body: "<html>no API here</html>"},
	} {
		fault.Count = -1
		w.vero.Fault(fault)
		send(code, "1")
		send(code+"-2", "2") // it has had no turn, and so no row
		w.wantVerdicts(t, map[string]string{code: code, code + "-2": code})
		over(code, code+"-2")
	}
	w.vero.Fault(mockvero.Fault{Status: http.StatusInternalServerError, Count: -1, Match: "failing"})
	send("failing", "3")
	w.await(t, "the first attempt", `select exists(select from verobridge.deliveries where message_id = 'failing' and status = 'waiting')`)
	send("follower", "3")
	send("passing", "4")
	w.wantVerdicts(t, map[string]string{"failing": "retrying", "follower": "behind_earlier_event", "passing": "no_email_yet"})
	over("failing", "follower")

	w.vero.Fault(mockvero.Fault{Status: http.StatusBadRequest, Count: 1, Match: "refused"})
	send("refused", "5")
	w.wantVerdicts(t, map[string]string{"refused": "dead_bad_request"})

	w.vero.Fault(mockvero.Fault{Reset: true, Count: -1, Match: "silence"})
	send("silence", "6")
	w.wantVerdicts(t, map[string]string{"silence": "in_doubt"})
}

// What came of an email is told to whoever asks for its event, and what kept it
// from being sent.
func TestWhyTheEmail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := time.Now().UTC()
	// report posts what Vero reports of an email, some seconds after the event.
	report := func(user, kind, email string, after time.Duration, agent string) {
		hook, err := json.Marshal(map[string]any{
			"type": kind, kind + "_at": at.Add(after).Unix(), "message_id": email, "user_agent": agent,
			"user":     map[string]any{"id": user, "email": user + "@example.com"},
			"campaign": map[string]any{"id": 7, "name": "Welcome", "subject": "Hello", "trigger-event": "tested"},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.post(t, "/webhooks/vero/"+veroKey, "", hook)
	}
	const person, machine = "Mozilla/5.0 (Macintosh)", "Mozilla/5.0"
	report("nobody", "sent", "e-other", -time.Hour, "")
	courses := map[string][]string{
		"sent_not_delivered": {"sent"}, "delivered_not_opened": {"sent", "delivered"}, "opened": {"sent", "delivered", "opened"},
		"clicked": {"sent", "delivered", "opened", "clicked"}, "bounced": {"sent", "bounced"},
		"marked_as_spam": {"sent", "delivered", "complained"}, "unsubscribed_by_it": {"sent", "delivered", "unsubscribed"},
		"opened_by_machine": {"sent", "delivered", "opened"},
	}
	want := make(map[string]string)
	for code, course := range courses {
		w.post(t, "/v1/track", appKey, trackCall(code, code))
		for i, kind := range course {
			agent := person
			if code == "opened_by_machine" {
				agent = machine
			}
			report(code, kind, "e-"+code, time.Duration(i+1)*time.Minute, agent)
		}
		want[code] = code
	}
	for code, kind := range map[string]string{"bounced_before": "bounced", "unsubscribed_before": "unsubscribed", "marked_as_spam_before": "complained"} {
		report(code, "sent", "e-"+code, -25*time.Hour, person)
		report(code, kind, "e-"+code, -24*time.Hour, person)
		w.post(t, "/v1/track", appKey, trackCall(code, code))
		want[code] = code
	}
	w.post(t, "/v1/track", appKey, trackCall("no_email_yet", "quiet"))
	want["no_email_yet"] = "no_email_yet"
	w.wantVerdicts(t, want)

	// The command says it too, to people and programs.
	why := func(code int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		env := func(name string) (string, bool) {
			return map[string]string{"DATABASE_URL": w.bridge.settings.Warehouse.URL}[name], name == "DATABASE_URL"
		}
		err := run(t.Context(), append([]string{"why"}, args...), env, &out, &out)
		got := 0
		if err != nil {
			got = exitCode(err)
		}
		if got != code {
			t.Errorf("why %v: exit code %d (%v), want %d", args, got, err, code)
		}
		for line := range strings.Lines(out.String()) {
			if len([]rune(strings.TrimRight(line, "\n"))) > whyWidth && !strings.Contains(line, "://") && !strings.Contains(line, `"`) {
				t.Errorf("a line is too wide: %q", line)
			}
		}
		return out.String()
	}
	text := why(0, "clicked")
	for _, part := range []string{"received from source app", "loaded into app.tracks, app.tested", "/events/track: answer 200", `email "Welcome" clicked`, "a link in it was clicked"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), part) {
			t.Errorf("why clicked does not say %q:\n%s", part, text)
		}
	}
	var answer told
	if err := json.Unmarshal([]byte(why(0, "unsubscribed_before", "--json")), &answer); err != nil || len(answer.Events) != 1 || answer.Events[0].Verdict.Code != "unsubscribed_before" {
		t.Errorf("as JSON: %+v, %v", answer, err)
	}
	if text := why(0, "clicked@example.com"); !strings.Contains(text, "clicked") {
		t.Errorf("by address:\n%s", text)
	}
	if text := why(1, "nobody-knows-it"); !strings.Contains(text, "Nothing is known") || !strings.Contains(text, "refusals") {
		t.Errorf("about nobody:\n%s", text)
	}
	why(2)
	why(2, "a", "b")
	why(2, "a", "--limit", "0")
	why(2, "a", "--unknown")
}

// Without our tables the error says so.
func TestWhyNeedsTheTables(t *testing.T) {
	t.Parallel()
	s := testSettings(t, "http://127.0.0.1:1")
	_, err := tell(t.Context(), s.Warehouse.URL, "m1", 1)
	if !errors.Is(err, story.ErrNotPrepared) {
		t.Errorf("%v, want %v", err, story.ErrNotPrepared)
	}
}
