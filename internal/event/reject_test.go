package event_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/event"
)

func TestRejectKeepsTheCallWithoutItsKey(t *testing.T) {
	t.Parallel()
	why := &event.RejectError{Reason: event.ReasonNoIdentity, Detail: "a track call needs a userId"}
	for raw, want := range map[string]string{
		`{"writeKey":"secret","event":"x","n":9007199254740993}`: `{"event":"x","n":9007199254740993}`,
		`{"\u0077riteKey":"secret","event":"x"}`:                 `{"event":"x"}`,
		`{"writeKey":"secret","writeKey":"secret"}`:              `{}`,
		`{ "event" : "x" }`:                                      `{ "event" : "x" }`,
		`["x"]`:                                                  `["x"]`,
		"\"\xff\"":                                               "\"\uFFFD\"",
	} {
		e := event.Reject([]byte(raw), event.Stamp{Source: "app", ReceivedAt: receivedAt}, why)
		if e.Type != event.Rejected || e.Source != "app" || !e.ReceivedAt.Equal(receivedAt) || e.ID == "" {
			t.Errorf("Reject(%s) = %+v", raw, e)
		}
		got := decoded(t, e.Body)
		if diff := cmp.Diff(map[string]any{"reason": why.Reason, "detail": why.Detail, "body": want}, got); diff != "" {
			t.Errorf("Reject(%s) (-want +got):\n%s", raw, diff)
		}
		if strings.Contains(string(e.Body), "secret") {
			t.Errorf("Reject(%s) keeps the write key: %s", raw, e.Body)
		}
	}
}
