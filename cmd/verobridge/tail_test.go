package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/mockvero"
)

// tailed runs tail on a bridge until the test ends, or stop is called, and returns
// what it writes.
func tailed(t *testing.T, admin string, args ...string) (out, errOut *lockedBuffer, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, errOut = &lockedBuffer{}, &lockedBuffer{}
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, append([]string{"tail", "--admin", "http://" + admin}, args...), everySet, out, errOut)
	}()
	stop = func() error {
		cancel()
		return <-ended
	}
	return out, errOut, stop
}

// Events are shown as they come, with what becomes of them, and a restart of the
// bridge in between loses none and shows none twice.
func TestTailSurvivesARestart(t *testing.T) {
	t.Parallel()
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken})
	s := testSettings(t, serve(t, vero))
	s.Listen, s.Admin.Listen = freeListener(t), freeListener(t)
	log := slog.New(slog.DiscardHandler)
	b := startTestBridge(t, s, log)
	w := &world{bridge: b, url: "http://" + b.publicAddr}
	w.post(t, "/v1/track", appKey, []byte(`{"messageId":"m0","userId":"ann","event":"Too Early"}`))
	w.post(t, "/v1/track", appKey, []byte(`{"messageId":"m1","userId":"ann","event":"Before"}`))

	out, errOut, stop := tailed(t, b.adminAddr, "--last", "1", "--fate")
	awaitCondition(t, "the event before", func() bool { return strings.Contains(out.String(), "Before") })
	w.post(t, "/v1/track", appKey, []byte(`{"messageId":"m2","userId":"bob","event":"Live"}`))
	awaitCondition(t, "the fate of an event", func() bool {
		text := out.String()
		return strings.Contains(text, "└ vero: delivered  Live bob") && strings.Contains(text, "└ warehouse: delivered  Live bob")
	})
	stopBridge(t, b)
	awaitCondition(t, "word of the end", func() bool { return strings.Contains(errOut.String(), "connecting again") })

	b = startTestBridge(t, s, log)
	w = &world{bridge: b, url: "http://" + b.publicAddr}
	w.post(t, "/v1/track", appKey, []byte(`{"messageId":"m3","userId":"ann","event":"Meanwhile"}`))
	awaitCondition(t, "the event after", func() bool { return strings.Contains(out.String(), "Meanwhile") })
	if err := stop(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	if text := errOut.String(); !strings.Contains(text, "the bridge is back") {
		t.Errorf("it says %q", text)
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		if !strings.Contains(line, "└") {
			names = append(names, strings.Join(strings.Fields(line)[1:], " "))
		}
	}
	if got, want := strings.Join(names, "; "), "app track Before ann; app track Live bob; app track Meanwhile ann"; got != want {
		t.Errorf("it shows %q, want %q", got, want)
	}
}

func TestTailFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, body := range map[string]string{
		"/v1/track":    `{"userId":"ann","event":"Order Completed"}`,
		"/v1/identify": `{"userId":"ann","traits":{"email":"ann@example.com"}}`,
		"/v1/page":     `{"userId":"bob","name":"Home"}`,
	} {
		w.post(t, path, appKey, []byte(body))
	}
	for want, args := range map[string][]string{
		"track":    {"--event", "order"},
		"identify": {"--user", "ann", "--type", "identify"},
		"page":     {"--source", "app", "--user", "bob", "--since", "1h"},
	} {
		out, _, stop := tailed(t, w.bridge.adminAddr, append(args, "--json")...)
		awaitCondition(t, want, func() bool { return strings.Contains(out.String(), "\n") })
		if err := stop(); err != nil {
			t.Errorf("%v: %v", args, err)
		}
		for text := range strings.Lines(out.String()) {
			var line tailLine
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
			if line.Event != nil && string(line.Event.Type) != want {
				t.Errorf("%v shows %s", args, text)
			}
		}
	}
}

func TestTailWithoutABridge(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"is it running?":       {"--admin", "http://" + freeListener(t)},
		"--since must be":      {"--since", "soon"},
		"none of the others":   {"--since", "1h", "--last", "3"},
		"must look like http:": {"--admin", "nonsense"},
	} {
		err := run(t.Context(), append([]string{"tail"}, args...), everySet, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", args, err, want)
		}
	}
}

// What strangers send cannot steer the terminal, or break a line.
func TestTailShowsWhatStrangersSend(t *testing.T) {
	t.Parallel()
	var p tailPrinter
	p.out = &strings.Builder{}
	e := event.Event{ID: "m", Type: event.Track, Source: "web", ReceivedAt: time.Now(), Body: []byte(`{"event":"\u001b[2J\nX","userId":"` + strings.Repeat("u", 500) + `"}`)}
	line := p.eventText(lineOf(e))
	report := p.reportText(delivery.ReportOf(e, "vero", delivery.Dead(delivery.ReasonBadRequest, io.ErrUnexpectedEOF), 1, time.Now()))
	for _, text := range []string{line, report} {
		if strings.ContainsAny(text, "\x1b\n") {
			t.Errorf("%q holds control characters", text)
		}
	}
	if n := len([]rune(line)); n > 120 {
		t.Errorf("the line has %d characters", n)
	}
}

func TestRecentForgetsTheOldest(t *testing.T) {
	t.Parallel()
	var r recent
	for n := range tailKnown + 1 {
		r.add("app", string(rune(n)))
	}
	if r.has("app", string(rune(0))) || !r.has("app", string(rune(1))) || r.has("web", string(rune(1))) || len(r.known) != tailKnown {
		t.Errorf("%d are remembered", len(r.known))
	}
}
