package outbound

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/mockvero"
)

const secret = "c2VjcmV0LXRva2VuLW9mLXZlcm8="

// setup returns a mock of Vero and a destination that calls it.
func setup(t *testing.T, change func(*VeroOptions)) (*mockvero.Server, *Vero) {
	t.Helper()
	mock := mockvero.New(mockvero.Options{AuthToken: secret})
	web := httptest.NewServer(mock)
	t.Cleanup(web.Close)
	o := VeroOptions{Name: "vero", URL: web.URL + "/api/v2/", AuthToken: secret}
	if change != nil {
		change(&o)
	}
	return mock, newVero(t, o)
}

func newVero(t *testing.T, o VeroOptions) *Vero {
	t.Helper()
	o.AllowPrivate = true // everything is on this machine
	if o.Budget == 0 {
		o.Budget = time.Hour // however busy that is
	}
	v, err := NewVero(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.client.http.CloseIdleConnections)
	return v
}

func track(t *testing.T, id, user, name string) event.Event {
	t.Helper()
	return accept(t, fmt.Sprintf(`{"type":"track","messageId":%q,"userId":%q,"event":%q,"timestamp":"2026-06-06T10:15:30Z"}`, id, user, name))
}

func verdicts(outcomes []delivery.Outcome) []string {
	list := make([]string, len(outcomes))
	for i, o := range outcomes {
		list[i] = verdict(o)
	}
	return list
}

func TestDeliverAllTypes(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, nil)
	batch := []event.Event{
		accept(t, `{"type":"identify","messageId":"m-1","userId":"old","traits":{"email":"jane@example.com","plan":"pro"},"integrations":{"Vero":{"tags":{"add":["a"]}}}}`),
		accept(t, `{"type":"track","messageId":"m-2","userId":"old","event":"Signed Up","properties":{"balance":12345678901234567890},"timestamp":"2026-06-06T10:15:30Z"}`),
		accept(t, `{"type":"page","messageId":"m-3","userId":"old","name":"Home","timestamp":"2026-06-06T10:15:31Z"}`),
		accept(t, `{"type":"screen","messageId":"m-4","userId":"old","name":"Home","timestamp":"2026-06-06T10:15:32Z"}`),
		accept(t, `{"type":"alias","messageId":"m-5","previousId":"old","userId":"new"}`),
		accept(t, `{"type":"group","messageId":"m-6","userId":"new","groupId":"g","traits":{"name":"Acme"}}`),
		accept(t, `{"type":"track","messageId":"m-7","userId":"new","event":"Unsubscribe"}`),
		accept(t, `{"type":"track","messageId":"m-8","anonymousId":"a","event":"Signed Up"}`),
	}
	outcomes := v.Deliver(t.Context(), batch)
	want := []string{
		"delivered delivered", "delivered delivered", "delivered delivered", "delivered delivered",
		"delivered delivered", "delivered delivered", "delivered delivered", "skipped no_identity",
	}
	if diff := cmp.Diff(want, verdicts(outcomes)); diff != "" {
		t.Fatalf("outcomes (-want +got):\n%s", diff)
	}

	wantUser := mockvero.User{
		ID:    "new",
		Email: "jane@example.com",
		Data:  map[string]json.RawMessage{"plan": []byte(`"pro"`), "group": []byte(`{"id":"g","name":"Acme"}`)},
		Tags:  []string{"a"},
		Events: []mockvero.Event{
			{Name: "Signed up", Data: []byte(`{"balance":12345678901234567890,"segment_message_id":"m-2"}`), Source: "segment", CreatedAt: "2026-06-06T10:15:30+0000"},
			{Name: "Viewed page", Data: []byte(`{"name":"Home","segment_message_id":"m-3"}`), Source: "segment", CreatedAt: "2026-06-06T10:15:31+0000"},
			{Name: "Viewed screen", Data: []byte(`{"name":"Home","segment_message_id":"m-4"}`), Source: "segment", CreatedAt: "2026-06-06T10:15:32+0000"},
		},
	}
	withoutTimes := cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Events.At" }, cmp.Ignore())
	users := mock.Effects().Users
	if diff := cmp.Diff(map[string]mockvero.User{"new": wantUser}, users, withoutTimes); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}

	// What is kept for people says what was done, without the token.
	made := outcomes[0].Calls()
	if len(made) != 2 || !strings.HasSuffix(made[1].URL, "/api/v2/users/tags/edit") || made[1].Method != "PUT" || made[1].Status != 200 {
		t.Fatalf("calls of the identify: %+v", made)
	}
	if got, want := string(made[1].Request), `{"auth_token":"[redacted]","id":"old","add":["a"]}`; got != want {
		t.Errorf("request kept = %s, want %s", got, want)
	}
	if made[1].Answer != `{"status":200,"message":"Success."}`+"\n" || made[1].At.IsZero() {
		t.Errorf("answer kept = %q at %s", made[1].Answer, made[1].At)
	}
	// The token went out in the bodies and nowhere else.
	for _, c := range mock.Calls() {
		if !bytes.HasPrefix(c.Body, []byte(`{"auth_token":"`+secret+`",`)) || c.Query != "" {
			t.Errorf("%s %s?%s %s", c.Method, c.Path, c.Query, c.Body)
		}
	}

	// The spool may hand everything over again.
	v.Deliver(t.Context(), batch[5:7])
	if diff := cmp.Diff(users, mock.Effects().Users, withoutTimes); diff != "" {
		t.Errorf("a repetition changed something (-before +after):\n%s", diff)
	}
}

func TestRepeatedEventsChangeNothing(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, nil)
	batch := []event.Event{track(t, "m-1", "1", "Ping"), track(t, "m-2", "1", "Ping"), track(t, "m-3", "2", "Ping")}
	for range 3 {
		for i, o := range v.Deliver(t.Context(), batch) {
			if o.Status() != delivery.StatusDelivered {
				t.Errorf("event %d: %s", i, o.Detail())
			}
		}
	}
	if got := mock.Effects().Events; got != 3 {
		t.Errorf("Vero has %d events, want 3: equal events of one person are two, repetitions none", got)
	}
	byMessage := make(map[string]string)
	for _, c := range mock.Calls() {
		id := string(c.Body[bytes.Index(c.Body, []byte("m-")):][:3])
		if first := byMessage[id]; first != "" && first != string(c.Body) {
			t.Errorf("bodies of %s differ:\n%s\n%s", id, first, c.Body)
		}
		byMessage[id] = string(c.Body)
	}
}

func TestOrderOfPeople(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, func(o *VeroOptions) { o.Concurrency = 8 })
	const people, each = 12, 20
	var batch []event.Event
	for n := range each {
		for p := range people {
			batch = append(batch, track(t, fmt.Sprintf("m-%d-%d", p, n), fmt.Sprint(p), fmt.Sprintf("Event %02d", n)))
		}
	}
	v.Deliver(t.Context(), batch)
	for id, u := range mock.Effects().Users {
		if len(u.Events) != each {
			t.Errorf("person %s has %d events, want %d", id, len(u.Events), each)
		}
		for n, e := range u.Events {
			if want := fmt.Sprintf("Event %02d", n); e.Name != want {
				t.Errorf("person %s: event %d is %s", id, n, e.Name)
			}
		}
	}
}

func TestPassingFailureHoldsThePersonBack(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, nil)
	mock.Fault(mockvero.Fault{Status: 500, Match: `"m-2"`})
	batch := []event.Event{
		track(t, "m-1", "1", "A"), track(t, "m-2", "1", "B"), track(t, "m-3", "1", "C"),
		track(t, "m-4", "2", "A"),
	}
	want := []string{"delivered delivered", "waiting server_error", "waiting behind_earlier_event", "delivered delivered"}
	if diff := cmp.Diff(want, verdicts(v.Deliver(t.Context(), batch))); diff != "" {
		t.Fatalf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"delivered delivered", "delivered delivered"}, verdicts(v.Deliver(t.Context(), batch[1:3]))); diff != "" {
		t.Fatalf("outcomes of the next attempt (-want +got):\n%s", diff)
	}
}

func TestDeadEventHoldsNobodyBack(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, nil)
	mock.Fault(mockvero.Fault{Status: 400, Match: `"m-1"`})
	outcomes := v.Deliver(t.Context(), []event.Event{track(t, "m-1", "1", "A"), track(t, "m-2", "1", "B")})
	if diff := cmp.Diff([]string{"dead bad_request", "delivered delivered"}, verdicts(outcomes)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestSecondCallFails(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, nil)
	mock.Fault(mockvero.Fault{Status: 502, Path: "users/tags/edit"})
	batch := []event.Event{accept(t, `{"type":"identify","messageId":"m-1","userId":"1","integrations":{"Vero":{"tags":{"add":["a"]}}}}`)}
	if o := v.Deliver(t.Context(), batch)[0]; verdict(o) != "waiting server_error" || len(o.Calls()) != 2 {
		t.Fatalf("first attempt: %s, %d calls", o.Detail(), len(o.Calls()))
	}
	if o := v.Deliver(t.Context(), batch)[0]; verdict(o) != "delivered delivered" || len(o.Calls()) != 2 {
		t.Fatalf("second attempt: %s, %d calls", o.Detail(), len(o.Calls()))
	}
	if got := mock.Effects().Users["1"].Tags; !cmp.Equal(got, []string{"a"}) {
		t.Errorf("tags = %v", got)
	}
}

func TestVeroMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	mock, v := setup(t, func(o *VeroOptions) { o.Registerer = registry; o.Concurrency = 1 })
	mock.Fault(mockvero.Fault{Status: 500})
	v.Deliver(t.Context(), []event.Event{track(t, "m-1", "1", "A"), track(t, "m-2", "2", "A")})
	want := `
# HELP verobridge_vero_calls_total Calls made, by endpoint and status; status none is a call without an answer.
# TYPE verobridge_vero_calls_total counter
verobridge_vero_calls_total{destination="vero",endpoint="events/track",status="200"} 1
verobridge_vero_calls_total{destination="vero",endpoint="events/track",status="500"} 1
verobridge_vero_calls_total{destination="vero",endpoint="users/delete",status="200"} 0
verobridge_vero_calls_total{destination="vero",endpoint="users/edit",status="200"} 0
verobridge_vero_calls_total{destination="vero",endpoint="users/reidentify",status="200"} 0
verobridge_vero_calls_total{destination="vero",endpoint="users/resubscribe",status="200"} 0
verobridge_vero_calls_total{destination="vero",endpoint="users/tags/edit",status="200"} 0
verobridge_vero_calls_total{destination="vero",endpoint="users/track",status="200"} 0
verobridge_vero_calls_total{destination="vero",endpoint="users/unsubscribe",status="200"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "verobridge_vero_calls_total"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(v.client.metrics.latency); n != 1 {
		t.Errorf("%d latency histograms", n)
	}
	if _, err := NewVero(VeroOptions{Name: "second", AuthToken: secret, Registerer: registry}); err != nil {
		t.Errorf("a second destination: %v", err)
	}
}

func TestVeroSettings(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		options VeroOptions
		want    string // part of the error
	}{
		"no name":           {VeroOptions{AuthToken: secret}, "name is missing"},
		"no token":          {VeroOptions{Name: "vero"}, "auth_token is missing"},
		"token with a line": {VeroOptions{Name: "vero", AuthToken: secret + "\n"}, "line break"},
		"url without host":  {VeroOptions{Name: "vero", AuthToken: secret, URL: "api.getvero.com"}, "https://host/path"},
		"url with a secret": {VeroOptions{Name: "vero", AuthToken: secret, URL: "https://x/api?auth_token=" + secret}, "no credentials, query or fragment"},
		"unreadable url":    {VeroOptions{Name: "vero", AuthToken: secret, URL: "http://x/%zz"}, "cannot be read"},
		"unknown preset":    {VeroOptions{Name: "vero", AuthToken: secret, Preset: "x"}, "preset must be default, none, rudderstack or segment"},
		"negative numbers":  {VeroOptions{Name: "vero", AuthToken: secret, Timeout: -1}, "negative"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewVero(tt.options)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want it to say %q", err, tt.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
	v, err := NewVero(VeroOptions{Name: "vero", AuthToken: secret})
	if err != nil || v.url != VeroURL || v.Name() != "vero" || v.concurrency != 64 {
		t.Errorf("defaults: %+v, %v", v, err)
	}
}
