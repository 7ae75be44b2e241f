package mockvero

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const ping = `{"auth_token":"T","identity":{"id":"1"},"event_name":"Ping"}`

func pingRequest(ctx context.Context, t *testing.T, base string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/v2/events/track", strings.NewReader(ping))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestFaultOverHTTP(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	base := start(t, s)
	fault := `{"status":429,"retry_after":7,"count":2,"path":"events/track","match":"Ping"}`
	if status, answer := do(t, "POST", base+"/mock/faults", "application/json", fault); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}

	must(t, base, `POST users/track {"auth_token":"T","id":"Ping"}`, `POST events/track {"auth_token":"T","identity":{"id":"1"},"event_name":"Other"}`)
	for range 2 {
		res, err := http.DefaultClient.Do(pingRequest(t.Context(), t, base))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != 429 || res.Header.Get("Retry-After") != "7" || !json.Valid(body) {
			t.Errorf("got %d, Retry-After %q, %s", res.StatusCode, res.Header.Get("Retry-After"), body)
		}
	}
	if got := s.Effects().Events; got != 1 {
		t.Errorf("%d events, want 1: a refused call has no effect", got)
	}
	must(t, base, "POST events/track "+ping)
}

func TestFaultBodyAndClear(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	base := start(t, s)
	s.Fault(Fault{Status: 200, Body: `{"status":500,"message":"Oops"}`, Count: -1})
	for range 3 {
		if _, answer := do(t, "POST", base+"/api/v2/events/track", "application/json", ping); answer != `{"status":500,"message":"Oops"}` {
			t.Errorf("answer = %s", answer)
		}
	}
	if status, _ := do(t, "DELETE", base+"/mock/faults", "", ""); status != http.StatusOK {
		t.Errorf("clear: %d", status)
	}
	must(t, base, "POST events/track "+ping)
}

func TestFaultReset(t *testing.T) {
	t.Parallel()
	for name, apply := range map[string]bool{"before the effect": false, "after the effect": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{})
			base := start(t, s)
			s.Fault(Fault{Reset: true, Apply: apply})
			// A connection of its own: net/http would try again on a used one.
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			res, err := client.Do(pingRequest(t.Context(), t, base))
			if err == nil {
				res.Body.Close()
				t.Fatalf("got an answer, %d", res.StatusCode)
			}
			if got := s.Effects().Events == 1; got != apply {
				t.Errorf("the event was kept: %t, want %t", got, apply)
			}
			if calls := s.Calls(); len(calls) != 1 || calls[0].Status != 0 {
				t.Errorf("calls = %+v, want one without a status", calls)
			}
		})
	}
}

func TestFaultDelay(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	base := start(t, s)
	s.Fault(Fault{Delay: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	res, err := http.DefaultClient.Do(pingRequest(ctx, t, base))
	if err == nil {
		res.Body.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want a timeout", err)
	}
	if got := s.Effects().Events; got != 1 {
		t.Errorf("%d events, want 1: a slow answer is still one", got)
	}
}

func TestBadFaults(t *testing.T) {
	t.Parallel()
	base := start(t, New(Options{}))
	for _, body := range []string{``, `[]`, `{}`, `{"count":3}`, `{"status":99}`, `{"status":600}`} {
		if status, _ := do(t, "POST", base+"/mock/faults", "application/json", body); status != http.StatusBadRequest {
			t.Errorf("fault %q: %d, want 400", body, status)
		}
	}
}

func TestCallsAndStateOverHTTP(t *testing.T) {
	t.Parallel()
	base := start(t, New(Options{}))
	must(t, base, "POST events/track.json "+ping)
	do(t, "POST", base+"/api/v2/events/track?x=1", "application/json", `not JSON`)

	var calls []Call
	_, raw := do(t, "GET", base+"/mock/calls", "", "")
	if err := json.Unmarshal([]byte(raw), &calls); err != nil {
		t.Fatal(err)
	}
	if len(calls) != 2 || calls[0].Path != "events/track" || string(calls[0].Body) != ping || calls[0].Status != 200 {
		t.Errorf("calls = %s", raw)
	}
	if calls[1].Status != 400 || calls[1].Query != "x=1" || string(calls[1].Body) != `"not JSON"` {
		t.Errorf("calls = %s", raw)
	}

	var effects Effects
	_, raw = do(t, "GET", base+"/mock/state", "", "")
	if err := json.Unmarshal([]byte(raw), &effects); err != nil {
		t.Fatal(err)
	}
	if effects.Calls != 2 || effects.Events != 1 || effects.Users["1"].Events[0].Name != "Ping" {
		t.Errorf("state = %s", raw)
	}
	if status, _ := do(t, "GET", base+"/mock/else", "", ""); status != http.StatusNotFound {
		t.Errorf("unknown control path: %d, want 404", status)
	}
}
