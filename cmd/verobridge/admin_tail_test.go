package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"testing"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/mockvero"
)

var errEnough = errors.New("enough")

// Whoever tails sees an event come in and what becomes of it everywhere; and
// stopping the bridge does not wait for him.
func TestTail(t *testing.T) {
	t.Parallel()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(t, serve(t, vero))
	b := startTestBridge(t, s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	w := &world{bridge: b, db: connect(t, s.Warehouse.URL), vero: vero, url: "http://" + b.publicAddr}
	w.post(t, "/v1/track", appKey, []byte(`{"messageId":"m-1","userId":"ann","event":"Tested"}`))

	second := make(chan struct{})
	fates := make(map[string]delivery.Status)
	err := adminOf(b).lines(t.Context(), http.MethodGet, "/api/tail", url.Values{"last": {"1"}, "person": {"ann"}}, func(text json.RawMessage) error {
		var line tailLine
		if err := json.Unmarshal(text, &line); err != nil {
			return err
		}
		switch e, r := line.Event, line.Report; {
		case e != nil && e.MessageID == "m-1":
			go func() {
				for _, person := range []string{"bob", "ann"} {
					body := []byte(`{"messageId":"m-` + person + `","userId":"` + person + `","event":"Tested again"}`)
					w.post(t, "/v1/track", appKey, body)
				}
				close(second)
			}()
		case e != nil && e.MessageID != "m-ann":
			t.Errorf("event %s was not asked for", e.MessageID)
		case r != nil && r.MessageID == "m-ann":
			fates[r.Destination] = r.Status
		}
		if fates["vero"] == delivery.StatusDelivered && fates["warehouse"] == delivery.StatusDelivered {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("the tail ended with %v; fates %v", err, fates)
	}
	<-second

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		ended <- adminOf(b).lines(ctx, http.MethodGet, "/api/tail", url.Values{"last": {"1"}}, func(json.RawMessage) error {
			close(begun)
			return nil
		})
	}()
	<-begun
	stopBridge(t, b) // it fails if it takes too long
	if err := <-ended; err == nil {
		t.Error("the tail does not say that the bridge stopped")
	}
}
