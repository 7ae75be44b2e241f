package event_test

import (
	"testing"

	"github.com/verobridge/verobridge/internal/event"
)

func TestKnown(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"anonymousId":"a","properties":{"n":1.50,"held":false}}`: `{"userId":"u\"1","anonymousId":"a","properties":{"n":1.50,"held":true}}`,
		`{"anonymousId":"a","properties":{}}`:                      `{"userId":"u\"1","anonymousId":"a","properties":{"held":true}}`,
		`{"anonymousId":"a"}`:                                      `{"userId":"u\"1","anonymousId":"a","properties":{"held":true}}`,
	} {
		e := event.Event{Body: []byte(body)}
		if got := string(e.WithUser(`u"1`).WithProperty("held", "true").Body); got != want {
			t.Errorf("%s became\n%s, want\n%s", body, got, want)
		}
		if string(e.Body) != body {
			t.Errorf("the event itself became %s", e.Body)
		}
	}
}
