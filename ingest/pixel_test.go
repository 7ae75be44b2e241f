package ingest_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/ingest"
	"github.com/verobridge/verobridge/internal/event"
)

func TestPixel(t *testing.T) {
	t.Parallel()
	// The characters at the end need + and / in standard base64.
	const call = `{"writeKey":"wk_test","userId":"u1","event":"Email Opened","properties":{"subject":"The Daily >>>???"}}`
	raw := []byte(call)
	flat := url.Values{
		"writeKey": {"wk_test"}, "userId": {"u1"}, "event": {"Email Opened"}, "properties.subject": {"The Daily >>>???"},
	}
	for name, query := range map[string]string{
		"standard base64": "data=" + url.QueryEscape(base64.StdEncoding.EncodeToString(raw)),
		"not escaped":     "data=" + base64.StdEncoding.EncodeToString(raw),
		"URL base64":      "data=" + base64.URLEncoding.EncodeToString(raw),
		"no padding":      "data=" + base64.RawURLEncoding.EncodeToString(raw),
		"bare JSON":       "data=" + url.QueryEscape(call),
		"key beside data": "writeKey=wk_test&data=" + base64.URLEncoding.EncodeToString([]byte(strings.Replace(call, `"writeKey":"wk_test",`, "", 1))),
		"flattened":       flat.Encode(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, ingest.Options{})
			res := d.do(t, http.MethodGet, "/v1/pixel/track?"+query, "", "User-Agent", "Mail/1.0")
			shows(t, res)
			events := d.spool.take()
			if len(events) != 1 {
				t.Fatalf("%d events, want 1", len(events))
			}
			e := events[0]
			got := []string{
				string(e.Type), e.Source, e.UserID(), e.Name(), e.Get("properties.subject").String(),
				e.Get("channel").String(), e.Get("context.ip").String(), e.Get("context.userAgent").String(),
			}
			want := []string{"track", "app", "u1", "Email Opened", "The Daily >>>???", "client", "127.0.0.1", "Mail/1.0"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
			if strings.Contains(string(e.Body), "wk_test") {
				t.Errorf("the event holds the write key: %s", e.Body)
			}
		})
	}
}

// The image is shown whatever happens.
func TestPixelAlwaysShows(t *testing.T) {
	t.Parallel()
	d := open(t, ingest.Options{})
	for _, query := range []string{"", "?data=%%%", "?data=e30", "?data=bm8", "?data=%7Bno", "?writeKey=wk_nobody", "?data=" + strings.Repeat("A", 10_000)} {
		for _, kind := range []string{"track", "identify", "group", "alias", "page", "screen", "unknown"} {
			shows(t, d.do(t, http.MethodGet, "/v1/pixel/"+kind+query, ""))
		}
	}
	if events := d.spool.take(); len(events) != 0 {
		t.Errorf("%d events without a key", len(events))
	}
	shows(t, d.do(t, http.MethodGet, "/v1/pixel/unknown?writeKey=wk_test&userId=u", ""))
	if e := d.spool.take()[0]; e.Get("reason").String() != event.ReasonUnknownType {
		t.Errorf("event is %s, want it rejected", e.Body)
	}
	d.spool.err = errDiskFull
	shows(t, d.do(t, http.MethodGet, "/v1/pixel/track?writeKey=wk_test&userId=u&event=x", ""))
}

func shows(t *testing.T, res answer) {
	t.Helper()
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "image/gif" || http.DetectContentType([]byte(res.body)) != "image/gif" {
		t.Errorf("answer is %d %q, want a GIF", res.StatusCode, res.body)
	}
}
