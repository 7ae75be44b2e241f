package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/event"
)

// A bad event in a good batch ends in verobridge.rejected_events, with its
// reason and as it was sent but for its write key. The others are stored, Vero
// gets them, and the answer is a success.
func TestRejectedEventsEndToEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const good = `{"type":"track","messageId":"good","userId":"u","event":"Signed Up"}`
	bad := map[string]string{
		`{"type":"track","event":"x","note":"é \u0001 \u0000 😀","n":9007199254740993}`:                          event.ReasonNoIdentity,
		`{"type":"track","userId":"u","writeKey":"` + appKey + `"}`:                                             event.ReasonNoEventName,
		`{"type":"merge","userId":"u"}`:                                                                         event.ReasonUnknownType,
		`{"type":"group","userId":"u"}`:                                                                         event.ReasonNoGroupID,
		`{"type":"alias","userId":"u"}`:                                                                         event.ReasonNoPreviousID,
		`{"type":"track","userId":{},"event":"x"}`:                                                              event.ReasonInvalidID,
		`{"type":"track","userId":"u","event":"x","properties":"p"}`:                                            event.ReasonInvalidField,
		`{"type":"track","userId":"u","event":"x","messageId":"` + strings.Repeat("m", 1025) + `"}`:             event.ReasonLongMessageID,
		`{"type":"track","userId":"u","event":"x","properties":{` + strings.Repeat(`"":0,`, 10_000) + `"a":1}}`: event.ReasonTooManyFields,
		`{"writeKey":"nobody","type":"track","userId":"u","event":"x"}`:                                         event.ReasonUnknownKey,
		`"text"`: event.ReasonNotObject,
	}
	calls := []string{good}
	want := map[string]string{}
	for body, reason := range bad {
		calls = append(calls, body)
		// Postgres has no NUL in a text, and a key is a secret.
		body = strings.NewReplacer(`,"writeKey":"`+appKey+`"`, ``, `"writeKey":"nobody",`, ``).Replace(body)
		want[body] = reason
	}
	calls = append(calls, strings.Replace(good, `"good"`, `"good-too"`, 1))
	w.post(t, "/v1/batch", appKey, []byte(`{"batch":[`+strings.Join(calls, ",")+`]}`))
	w.post(t, "/v1/track", appKey, []byte(`{"event":"alone"}`))
	want[`{"event":"alone"}`] = event.ReasonNoIdentity
	hook := `{"type":"opened","user":{}}`
	w.post(t, "/webhooks/vero/"+veroKey, "", []byte(hook))
	w.settle(t, "rejected")

	rows, err := w.db.Query(t.Context(), `select source, reason, detail, body, id, received_at is not null from verobridge.rejected_events`)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	ids := map[string]bool{}
	var source, reason, detail, body, id string
	var dated bool
	if _, err := pgx.ForEachRow(rows, []any{&source, &reason, &detail, &body, &id, &dated}, func() error {
		if body == hook {
			if source != "vero" || reason != event.ReasonNoIdentity {
				t.Errorf("the webhook is kept as %s of %s", reason, source)
			}
			return nil
		}
		if source != "app" || detail == "" || !dated || id == "" || ids[id] {
			t.Errorf("row %s of %s: %q, dated %t", id, source, detail, dated)
		}
		ids[id] = true
		got[body] = reason
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refused calls and reasons (-want +got):\n%s", diff)
	}

	var stored []string
	if err := w.db.QueryRow(t.Context(), `select array_agg(id order by id) from app.tracks`).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"good", "good-too"}, stored); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if events := w.vero.Effects().Users["u"].Events; len(events) != 2 {
		t.Errorf("Vero has %d events, want the two good ones", len(events))
	}

	metrics := w.metrics(t)
	for _, line := range []string{
		`verobridge_ingest_events_total{source="app",type="track"} 2`,
		`verobridge_ingest_rejected_total{reason="no_identity",source="app"} 2`,
		`verobridge_ingest_rejected_total{reason="too_many_fields",source="app"} 1`,
		`verobridge_ingest_rejected_total{reason="no_identity",source="vero"} 1`,
		`verobridge_ingest_rejected_total{reason="origin_not_allowed",source="app"} 0`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
}

// metrics returns what the admin address shows at /metrics.
func (w *world) metrics(t *testing.T) string {
	t.Helper()
	answer, err := http.Get("http://" + w.bridge.adminAddr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
