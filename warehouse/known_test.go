package warehouse

import (
	"fmt"
	"testing"

	"github.com/verobridge/verobridge/internal/event"
)

// TestLooksAfterAConflict: loads trust in keys until one refuses a row, look
// first for a while then, and trust again.
func TestLooksAfterAConflict(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "m1", "X", "{}"), identify(t, "i1", arrival, `{"plan":"free"}`))
	if f.wary != 0 {
		t.Errorf("%d loads look, though nothing came twice", f.wary)
	}
	f.deliver(track(t, "m1", "X", "{}"), track(t, "m2", "X", "{}"), identify(t, "i1", arrival, `{"plan":"odd"}`))
	if f.wary != wariness {
		t.Errorf("%d loads look after a conflict, want %d", f.wary, wariness)
	}
	for i := range wariness {
		f.deliver(track(t, fmt.Sprint("n", i), "Y", "{}"))
	}
	if f.wary != 0 {
		t.Errorf("%d loads look after %d without a repeated event", f.wary, wariness)
	}
	f.want("select id from app.x order by id", `{"id":"m1"}`, `{"id":"m2"}`)
	f.want("select plan from app.users", `{"plan":"free"}`)
}

// TestRowThatAnotherKeyRefuses: not every conflict is one of ids.
func TestRowThatAnotherKeyRefuses(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "m1", "X", `{"n":1}`))
	f.exec("create unique index on app.x (n)")
	got := outcomes(f.Deliver(t.Context(), []event.Event{track(t, "m2", "X", `{"n":1}`), track(t, "m3", "X", `{"n":2}`)}))
	want := []outcome{{Status: "dead", Reason: "row_refused"}, delivered}
	if got[0] != want[0] || got[1] != want[1] {
		t.Errorf("outcomes are %v, want %v", got, want)
	}
	f.want("select id from app.tracks order by id", `{"id":"m1"}`, `{"id":"m3"}`)
}
