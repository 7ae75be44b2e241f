package ingest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/ingest"
	"github.com/verobridge/verobridge/internal/event"
)

var errDiskFull = errors.New("no space left on device")

const order = `{"type":"track","messageId":"m1","userId":"u1","event":"Order Completed"}`

// One bad event never costs the others.
func TestBatchJudgesEachEvent(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	d.post(t, "/v1/batch", `{"batch":[`+strings.Join([]string{
		order,
		`{"type":"track","event":"x"}`,
		`{"type":"track","userId":"u1"}`,
		`"text"`,
		`{"type":"track","messageId":"m2","userId":"u1","event":"Big","properties":{"s":"` + strings.Repeat("x", 100_000) + `"}}`,
		`{"type":"merge","userId":"u1"}`,
		`{"type":"identify","messageId":"m3","userId":42,"anonymousId":null,"traits":[]}`,
	}, ",")+`]}`).succeeds(t)
	if n := d.spool.count(); n != 1 {
		t.Errorf("%d appends, want 1", n)
	}
	var got []string
	for _, e := range d.spool.take() {
		if e.Type == event.Rejected {
			got = append(got, e.Get("reason").String())
		} else {
			got = append(got, e.ID)
		}
	}
	want := []string{"m1", "no_identity", "no_event_name", "not_an_object", "m2", "unknown_type", "m3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestBatchEnvelope(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ body, want string }{
		"empty":                    {`{"batch":[]}`, ""},
		"holes":                    {`{"batch":[ , , ]}`, ""},
		"holes around events":      {`{"batch":[,` + order + `,,` + order + `,]}`, "m1 m1"},
		"nulls":                    {`{"batch":[null,` + order + `,null]}`, "m1"},
		"context that is an array": {`{"context":[],"integrations":[],"batch":[` + order + `]}`, "m1"},
		"context that is text":     {`{"context":"c","batch":[` + order + `]}`, "m1"},
		"its own messageId":        {`{"messageId":"envelope","batch":[{"type":"track","messageId":"m2","userId":"u1","event":"x"}]}`, "m2"},
		"repeated batch":           {`{"batch":[],"batch":[` + order + `]}`, "m1"},
		"byte order mark":          {"\uFEFF" + `{"batch":[` + order + `]}`, "m1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, ingest.Options{})
			d.post(t, "/v1/batch", tt.body).succeeds(t)
			var ids []string
			for _, e := range d.spool.take() {
				ids = append(ids, e.ID)
			}
			if got := strings.Join(ids, " "); got != tt.want {
				t.Errorf("events are %q, want %q", got, tt.want)
			}
		})
	}
	d := open(t, ingest.Options{})
	for _, body := range []string{`[]`, `{}`, `{"batch":null}`, `{"batch":{}}`, `"batch"`, `null`, order} {
		d.post(t, "/v1/batch", body).fails(t, http.StatusBadRequest, "invalid_batch")
	}
}

// A single call is answered as Segment's edge does: 200, and kept with its
// reason.
func TestSingleRefused(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	for body, reason := range map[string]string{
		`{"event":"x"}`:  event.ReasonNoIdentity,
		`{"userId":"u"}`: event.ReasonNoEventName,
		`[1]`:            event.ReasonNotObject,
		`null`:           event.ReasonNotObject,
	} {
		d.post(t, "/v1/track", body).succeeds(t)
		e := d.spool.take()[0]
		if e.Type != event.Rejected || e.Get("reason").String() != reason || e.Get("body").String() != body {
			t.Errorf("%s is kept as %s, want reason %s", body, e.Body, reason)
		}
	}
}

func TestStampsCallers(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	for path, want := range map[string]string{"/v1/track": "", "/v1/t": "127.0.0.1"} {
		d.post(t, path, order, "X-Forwarded-For", "203.0.113.1").succeeds(t)
		if got := d.spool.take()[0].Get("context.ip").String(); got != want {
			t.Errorf("%s: context.ip is %q, want %q", path, got, want)
		}
	}
}

// Not stored means not accepted: every SDK sends again after a 503.
func TestSpoolFails(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	d.spool.err = errDiskFull
	for path, body := range map[string]string{"/v1/batch": `{"batch":[` + order + `]}`, "/v1/t": order, veroHook: `{"type":"sent","user":{"id":1}}`} {
		res := d.post(t, path, body)
		res.fails(t, http.StatusServiceUnavailable, "not_stored")
		if got := res.Header.Get("Retry-After"); got != "1" {
			t.Errorf("%s: Retry-After is %q, want 1", path, got)
		}
		if strings.Contains(res.body, errDiskFull.Error()) {
			t.Errorf("%s: the answer tells about our insides: %s", path, res.body)
		}
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	for _, contentType := range []string{"", "text/plain", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "nonsense"} {
		d.post(t, "/v1/t", order, "Content-Type", contentType).succeeds(t)
	}
	for _, encoding := range []string{"gzip", "GZIP", "x-gzip"} {
		d.post(t, "/v1/t", compressed(t, order), "Content-Encoding", encoding).succeeds(t)
	}
	d.post(t, "/v1/t", order, "Content-Encoding", "identity").succeeds(t)
	for _, e := range d.spool.take() {
		if e.ID != "m1" {
			t.Errorf("event is %s", e.Body)
		}
	}
	zipped := compressed(t, order)
	d.post(t, "/v1/t", zipped[:len(zipped)-9], "Content-Encoding", "gzip").fails(t, http.StatusBadRequest, "malformed_gzip")
	d.post(t, "/v1/t", zipped[:5], "Content-Encoding", "gzip").fails(t, http.StatusBadRequest, "malformed_gzip")
	d.post(t, "/v1/t", order, "Content-Encoding", "gzip").fails(t, http.StatusBadRequest, "malformed_gzip")
	d.post(t, "/v1/t", order, "Content-Encoding", "br").fails(t, http.StatusBadRequest, "unsupported_encoding")
	for _, body := range []string{``, ` `, `{`, `{"batch":[}`, order + `x`, `{"a":NaNny}`, `{"a":1,}`, "\x00", "\x1f\x8b"} {
		d.post(t, "/v1/batch", body).fails(t, http.StatusBadRequest, "malformed_json")
	}
}

// Kotlin and Android send gzip in chunks, without a Content-Length.
func TestChunkedGzip(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	zipped := compressed(t, `{"writeKey":"wk_test","batch":[`+order+`]}`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.URL+"/v1/b", io.MultiReader(strings.NewReader(zipped[:20]), strings.NewReader(zipped[20:])))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Encoding", "gzip")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if events := d.spool.take(); res.StatusCode != http.StatusOK || len(events) != 1 || events[0].ID != "m1" {
		t.Errorf("answer is %d, events %v", res.StatusCode, events)
	}
}

// What arrives is what was sent, but for what no JSON and no Postgres has.
func TestFidelity(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		`9007199254740993`:             `9007199254740993`,
		`0.1000`:                       `0.1000`,
		`1E400`:                        `1E400`,
		`NaN`:                          `null`,
		`[Infinity,-Infinity , NaN]`:   `[null,null , null]`,
		`"NaN, \" Infinity"`:           `"NaN, \" Infinity"`,
		`"\ud83d\ude00 \uD83D\uDE00"`:  `"\ud83d\ude00 \uD83D\uDE00"`,
		`"cut \ud83d"`:                 `"cut \ufffd"`,
		`"\ud83d\ud83d\ude00\ude00"`:   `"\ufffd\ud83d\ude00\ufffd"`,
		`"\\ud83d"`:                    `"\\ud83d"`,
		`"\u0000"`:                     `"\u0000"`,
		"\"\xff\xfe é\"":               "\"\uFFFD é\"",
		`{"a b":{"C.d":[true,false]}}`: `{"a b":{"C.d":[true,false]}}`,
	} {
		d := open(t, ingest.Options{})
		d.post(t, "/v1/track", `{"userId":"u","event":"x","properties":{"v":`+sent+`}}`).succeeds(t)
		if got := d.spool.take()[0].Get("properties.v").Raw; got != want {
			t.Errorf("%s arrived as %s, want %s", sent, got, want)
		}
	}
}

// @segment/analytics-node 3.1.0 miscounts and sends 60 events of 60 KB.
func TestLargestKnownBatch(t *testing.T) {
	t.Parallel()
	events := make([]string, 60)
	for i := range events {
		events[i] = fmt.Sprintf(`{"type":"track","messageId":"m%d","userId":"u","event":"x","properties":{"s":"%s"}}`, i, strings.Repeat("x", 60_000))
	}
	d := open(t, ingest.Options{})
	d.post(t, "/v1/batch", `{"batch":[`+strings.Join(events, ",")+`]}`).succeeds(t)
	if got := len(d.spool.take()); got != 60 {
		t.Errorf("%d events, want 60", got)
	}
}
