package outbound

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/mockvero"
)

// An answer that gets lost makes no second event, and leaves in doubt only what
// could.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	signup := track(t, "m-1", "1", "Signed Up")
	profile := accept(t, `{"type":"identify","messageId":"m-2","userId":"1","traits":{"plan":"pro"}}`)
	for name, fault := range map[string]mockvero.Fault{
		"timeout":         {Delay: time.Hour},
		"reset":           {Reset: true, Apply: true},
		"gateway timeout": {Status: http.StatusGatewayTimeout, Apply: true},
	} {
		passing := "waiting unreachable"
		if fault.Status != 0 {
			passing = "waiting server_error"
		}
		for _, tt := range []struct {
			name   string
			event  event.Event
			repeat bool
			want   string
			events int
		}{
			{"event", signup, false, "waiting unanswered", 1},
			{"event that may be repeated", signup, true, passing, 1},
			{"profile", profile, false, passing, 0},
		} {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				mock, v := setup(t, func(o *VeroOptions) {
					o.RepeatInDoubt = tt.repeat
					if fault.Delay > 0 {
						o.Timeout = time.Second
					}
				})
				mock.Fault(fault)
				o := v.Deliver(t.Context(), []event.Event{tt.event})[0]
				if verdict(o) != tt.want {
					t.Fatalf("first attempt: %s", o.Detail())
				}
				if doubt := o.Doubt(); (doubt > 0) != (tt.want == "waiting unanswered") || doubt >= equalFor {
					t.Errorf("in doubt for %s", doubt)
				}
				if o := v.Deliver(t.Context(), []event.Event{tt.event})[0]; verdict(o) != "delivered delivered" {
					t.Fatalf("second attempt: %s", o.Detail())
				}
				if got := mock.Effects().Events; got != tt.events {
					t.Errorf("Vero has %d events, want %d", got, tt.events)
				}
			})
		}
	}
}

// What may be repeated is counted from when the call began, not from when its
// answer was given up.
func TestDoubtBeginsWithTheCall(t *testing.T) {
	t.Parallel()
	clock := received
	mock, v := setup(t, func(o *VeroOptions) {
		o.Now = func() time.Time { clock = clock.Add(10 * time.Second); return clock }
	})
	mock.Fault(mockvero.Fault{Reset: true})
	o := v.Deliver(t.Context(), []event.Event{track(t, "m-1", "1", "A")})[0]
	if o.Doubt() != equalFor-10*time.Second {
		t.Errorf("in doubt for %s", o.Doubt())
	}
}

// An event of which one call took effect and the next one failed is repeated
// only while Vero drops the repetition.
func TestHalfDoneEventIsInDoubt(t *testing.T) {
	t.Parallel()
	tagged := func(kind string) event.Event {
		return accept(t, `{"type":"`+kind+`","event":"A","messageId":"m-1","userId":"1","integrations":{"Vero":{"tags":{"add":["x"]}}}}`)
	}
	for status, want := range map[int]map[string]string{
		500: {"track": "waiting unanswered", "identify": "waiting server_error"},
		401: {"track": "waiting unanswered", "identify": "unavailable credentials_refused"},
		400: {"track": "delivered tags_refused", "identify": "dead bad_request"},
	} {
		for kind, want := range want {
			mock, v := setup(t, nil)
			mock.Fault(mockvero.Fault{Status: status, Path: pathTags})
			o := v.Deliver(t.Context(), []event.Event{tagged(kind)})[0]
			if verdict(o) != want || len(o.Calls()) != 2 {
				t.Errorf("%s, tags answered with %d: %s with %d calls, want %s", kind, status, o.Detail(), len(o.Calls()), want)
			}
		}
	}
}

// Tags that nobody can read stop the event before anything is sent: the letter
// can be sent again.
func TestUnreadableTagsSendNothing(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, nil)
	e := accept(t, `{"type":"track","event":"A","messageId":"m-1","userId":"1","integrations":{"Vero":{"tags":7}}}`)
	o := v.Deliver(t.Context(), []event.Event{e})[0]
	if got := mock.Totals().Events; verdict(o) != "dead bad_request" || len(o.Calls()) != 0 || got != 0 {
		t.Errorf("%s with %d calls, and Vero has %d events", o.Detail(), len(o.Calls()), got)
	}
}

// A Vero that goes silent gets no more calls than it takes to notice: each of
// them is in doubt.
func TestSilenceStopsTheBatch(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, func(o *VeroOptions) { o.Concurrency = 4 })
	mock.Fault(mockvero.Fault{Reset: true, Count: -1})
	batch, _ := people(t, 200)
	got := make(map[string]int)
	for _, o := range v.Deliver(t.Context(), batch) {
		got[verdict(o)]++
	}
	doubts := got["waiting unanswered"]
	if doubts < silences || doubts > silences+4 || got["unavailable unreachable"] != len(batch)-doubts || len(mock.Calls()) != doubts {
		t.Errorf("outcomes %v with %d calls", got, len(mock.Calls()))
	}

	// Answers in between say that it is there.
	mock, v = setup(t, func(o *VeroOptions) { o.Concurrency = 1 })
	mock.Fault(mockvero.Fault{Reset: true, Count: -1, Match: "odd"})
	batch = nil
	for n := range 4 * silences {
		name := "even"
		if n%2 == 1 {
			name = "odd"
		}
		batch = append(batch, track(t, "m", fmt.Sprintf("user-%d", n), name))
	}
	got = make(map[string]int)
	for _, o := range v.Deliver(t.Context(), batch) {
		got[verdict(o)]++
	}
	if diff := cmp.Diff(map[string]int{"delivered delivered": 2 * silences, "waiting unanswered": 2 * silences}, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}
