package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/mockvero"
)

// Whoever is to be told is told of what is so: the destination that is paused, why
// and since when, and of the dead letters.
func TestLookAround(t *testing.T) {
	t.Parallel()
	told := httptest.NewServer(http.NotFoundHandler())
	defer told.Close()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(t, serve(t, vero))
	s.Notify.URL = told.URL + "/test-notify-secret"
	w := &world{bridge: startTestBridge(t, s, slog.New(slog.DiscardHandler))}
	w.url = "http://" + w.bridge.publicAddr
	standing := func() delivery.Standing {
		state, err := w.bridge.lookAround(t.Context())
		if err != nil || state.Refused != nil || state.Filling {
			t.Fatalf("it looks around and finds %+v (%v)", state, err)
		}
		for _, d := range state.Destinations {
			if d.Destination == "vero" {
				return d
			}
		}
		t.Fatalf("vero is not among %+v", state.Destinations)
		return delivery.Standing{}
	}
	track := func(n int) {
		w.post(t, "/v1/track", appKey, fmt.Appendf(nil, `{"userId":"u%d","event":"X"}`, n))
	}
	vero.Fault(mockvero.Fault{Status: http.StatusBadRequest})
	track(1)
	awaitCondition(t, "a dead letter", func() bool { return standing().Buried == 1 })
	for range 100 {
		vero.Fault(mockvero.Fault{Status: http.StatusUnauthorized})
	}
	began := time.Now()
	track(2)
	awaitCondition(t, "a pause", func() bool { return !standing().PausedSince.IsZero() })
	if d := standing(); d.Reason != delivery.ReasonRefused || d.PausedSince.Before(began.Add(-time.Second)) || d.BehindSince.IsZero() || d.Buried != 1 {
		t.Errorf("it stands so: %+v", d)
	}
}

func TestNotifySettings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{url: secret-words}":                     "notify.url must look like",
		"{url: 'https://x.example.com', lag: 5s}": "notify.lag must be at least 1m",
		"{lag: soon}":                             "notify.lag must be a duration",
	} {
		_, err := parseSettings("f.yaml", []byte("warehouse: {url: postgres://h/d}\nsources: [{name: app, write_keys: [a]}]\nnotify: "+text), everySet)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if name := (settings{PublicURL: "https://events.example.com/"}).publicName(); name != "events.example.com" {
		t.Errorf("a bridge at events.example.com calls itself %s", name)
	}
	if (settings{}).publicName() == "" {
		t.Error("a bridge without a public_url has no name")
	}
}
