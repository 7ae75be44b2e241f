package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/event"
)

type appenderFunc func(context.Context, ...event.Event) error

func (f appenderFunc) Append(ctx context.Context, events ...event.Event) error {
	return f(ctx, events...)
}

// What is refused as a whole is remembered with what the door knew of it, and no
// more of a write key than its beginning.
func TestRefusals(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 6, 10, 0, 0, 0, time.UTC)
	refusals := NewRefusals()
	full := appenderFunc(func(context.Context, ...event.Event) error { return errors.New("full") })
	h, err := NewHandler(Options{
		Sources: []Source{
			{Name: "app", WriteKeys: []string{"app-secret-key"}},
			{Name: "web", WriteKeys: []string{"web-public-key"}, Browser: true, Origins: []string{"https://www.example.com"}},
			{Name: "old", WriteKeys: []string{"old-secret-key"}, Disabled: true},
		},
		Spool: full, Refusals: refusals, MaxBodyBytes: 4096, Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range []struct{ path, key, body string }{
		{"/v1/track", "mistyped-secret", `{"messageId":"m1","userId":"u","event":"E"}`},
		{"/v1/track", "mistyped-secret", `{"messageId":"m2","userId":"u","event":"E"}`},
		{"/v1/batch", "web-public-key", `{"batch":[{"messageId":"m3"},{"messageId":4}]}`},
		{"/v1/batch", "", `{"writeKey":"old-secret-key","batch":[{"messageId":"m5"}]}`},
		{"/v1/track", "app-secret-key", `{"messageId":"m6","userId":"u","event":"E"}`},
		{"/v1/track", "app-secret-key", `{"messageId":"m7","x":"` + strings.Repeat("x", 5000) + `"}`},
		{"/v1/track", "short", `{"messageId":"` + strings.Repeat("7", maxRefusedID+1) + `"}`},
		{"/webhooks/vero/nobody-knows-it", "", `{}`},
		{"/v1/nothing", "mistyped-secret", `{"messageId":"m8"}`},
	} {
		r := httptest.NewRequest(http.MethodPost, request.path, strings.NewReader(request.body))
		if request.key != "" {
			r.SetBasicAuth(request.key, "")
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	pixel := httptest.NewRequest(http.MethodGet, "/v1/pixel/track?messageId=m9&userId=u&event=E", nil)
	h.ServeHTTP(httptest.NewRecorder(), pixel)

	of := func(reason, source, key string, calls, requests int, ids ...string) event.Refusal {
		return event.Refusal{At: at, Reason: reason, Source: source, Key: key, Calls: calls, Requests: requests, MessageIDs: ids}
	}
	want := []event.Refusal{
		of("unknown_write_key", "", "mis…", 2, 2, "m1", "m2"),
		of("origin_not_allowed", "web", "web…", 2, 1, "m3", "4"),
		of("source_disabled", "old", "old…", 1, 1, "m5"),
		of("not_stored", "app", "app…", 1, 1, "m6"),
		of("payload_too_large", "app", "app…", 0, 1),
		of("unknown_write_key", "", "s…", 1, 1),
		of("unknown_write_key", "", "nob…", 0, 1),
		of("missing_write_key", "", "", 1, 1, "m9"),
	}
	var got []event.Refusal
	keep := func(_ context.Context, list []event.Refusal) error {
		got = nil
		for _, r := range list {
			if r.Detail == "" {
				t.Errorf("%s has no sentence", r.Reason)
			}
			r.Detail = ""
			got = append(got, r)
		}
		return nil
	}
	fail := func(context.Context, []event.Refusal) error { return errors.New("the database is away") }
	if err := refusals.Flush(t.Context(), fail); err == nil {
		t.Error("an error was swallowed")
	}
	if err := refusals.Flush(t.Context(), keep); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
	got = nil
	if err := refusals.Flush(t.Context(), keep); err != nil || got != nil {
		t.Errorf("handed over twice: %v, %v", got, err)
	}
}

// However many strangers there are, what is remembered stays small.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	refusals := NewRefusals()
	h, err := NewHandler(Options{
		Sources: []Source{{Name: "app", WriteKeys: []string{"app-secret-key"}}}, Refusals: refusals,
		Spool: appenderFunc(func(context.Context, ...event.Event) error { return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		var batch bytes.Buffer
		for n := range 30 {
			fmt.Fprintf(&batch, `,{"messageId":"m-%d-%d"}`, i, n)
		}
		r := httptest.NewRequest(http.MethodPost, "/v1/batch", strings.NewReader(`{"batch":[`+batch.String()[1:]+`]}`))
		r.SetBasicAuth(fmt.Sprintf("%04d-is-no-key-of-ours", i), "")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	err = refusals.Flush(t.Context(), func(_ context.Context, list []event.Refusal) error {
		if len(list) != maxRefused {
			t.Errorf("%d rows, want %d", len(list), maxRefused)
		}
		for _, r := range list {
			if len(r.MessageIDs) > maxRefusedIDs {
				t.Errorf("%d ids in a row", len(r.MessageIDs))
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
