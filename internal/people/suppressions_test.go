package people_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/people"
)

func TestIdentifiers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]people.Identifier{
		`{"type":"track","event":"E","userId":"u","anonymousId":"a","properties":{"email":"friend@example.com"}}`: {
			{Kind: people.User, Value: "u"},
		},
		`{"type":"track","event":"E","anonymousId":"a"}`:                        {{Kind: people.Anonymous, Value: "a"}},
		`{"type":"identify","userId":"u","traits":{"email":"Ann@Example.com"}}`: {{Kind: people.User, Value: "u"}, {Kind: people.Email, Value: "Ann@Example.com"}},
		`{"type":"track","event":"Email Opened","anonymousId":"ann@example.com"}`: {
			{Kind: people.Anonymous, Value: "ann@example.com"}, {Kind: people.Email, Value: "ann@example.com"},
		},
		`{"type":"alias","userId":"u","previousId":"p"}`: {
			{Kind: people.User, Value: "u"}, {Kind: people.User, Value: "p"}, {Kind: people.Anonymous, Value: "p"},
		},
	} {
		got := people.Identifiers(at(t, 0, body))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	refused := event.Reject([]byte(`{"userId":"u"}`), event.Stamp{}, &event.RejectError{})
	if diff := cmp.Diff([]people.Identifier{{Kind: people.User, Value: "u"}}, people.Identifiers(refused)); diff != "" {
		t.Errorf("a call refused at the door (-want +got):\n%s", diff)
	}
}

// Nobody is sent anything before it is known who was erased, and the erased
// never.
func TestGuard(t *testing.T) {
	t.Parallel()
	url := prepared(t)
	f := open(t, url)
	guarded := f.Guard(f.resolver)
	if _, sweeps := guarded.(delivery.Sweeper); !sweeps {
		t.Error("the guard of a destination that holds events does not sweep")
	}
	if _, sweeps := f.Guard(f.loader).(delivery.Sweeper); sweeps {
		t.Error("the guard of a destination that holds nothing sweeps")
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	f.want(guarded.Deliver(stopped, []event.Event{identify(t, 0, "u1", "a1")})[0], delivery.StatusWaiting, delivery.ReasonSuppressions)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		f.Run(ctx)
		close(done)
	}()
	f.want(guarded.Deliver(t.Context(), []event.Event{identify(t, 0, "u1", "a1")})[0], delivery.StatusDelivered, delivery.ReasonDelivered)
	cancel()
	<-done

	none := func(context.Context, func(event.Event) bool) (int, error) { return 0, nil }
	receipt, err := f.Erase(t.Context(), people.EraserOptions{Kept: none}, []people.Identifier{{Kind: people.User, Value: "u1"}})
	if err != nil || len(receipt.Remaining) > 0 {
		t.Fatalf("erase: %v, %v remains", err, receipt.Remaining)
	}
	o := guarded.Deliver(t.Context(), []event.Event{identify(t, 1, "u1", "a9"), identify(t, 1, "u2", "a1")})
	f.want(o[0], delivery.StatusSkipped, delivery.ReasonSuppressed)
	f.want(o[1], delivery.StatusDelivered, delivery.ReasonDelivered)

	beside, err := people.ReadSuppressions(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if !beside.Suppressed(identify(t, 2, "u1", "")) || beside.Suppressed(identify(t, 2, "u2", "")) {
		t.Error("a program beside the bridge knows others to be erased")
	}
	reports := f.Scrub([]delivery.Report{
		{MessageID: "hers", UserID: "u1", AnonymousID: "a1", Calls: []delivery.Call{{URL: "x"}}},
		{MessageID: "by address", Calls: []delivery.Call{{Request: []byte(`{"id":"u1"}`)}}},
		{MessageID: "his", UserID: "u2"},
	})
	want := []delivery.Report{{MessageID: "hers"}, {MessageID: "by address"}, {MessageID: "his", UserID: "u2"}}
	if diff := cmp.Diff(want, reports); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}

// A copy that cannot be read is an error: without it the erased might be sent.
func TestDamagedCopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "suppressions.json"), []byte(`{"salt"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := people.Open(people.Options{URL: "postgres://127.0.0.1:1/none", Dir: dir, Now: time.Now}); err == nil {
		t.Error("opened with a damaged copy")
	}
}
