package spool

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// A destination has caught up when what was there at the start is delivered and
// its reports are written.
func TestCaughtUp(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "vero")
	if !s.CaughtUp("vero") {
		t.Error("an empty spool has something to catch up with")
	}
	appendAll(t, s, call("ann", 0))
	if !s.CaughtUp("vero") {
		t.Error("what came later counts")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, dir, "vero")
	if s.CaughtUp("vero") {
		t.Error("caught up before anything was delivered")
	}
	d := newDestination("vero", deliverAll)
	drainTo(t, s, d, DrainOptions{})
	d.await(t, 1)
	// The report was made after the start, so it does not count.
	for end := time.Now().Add(deadline); !s.CaughtUp("vero"); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("not caught up after the delivery")
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, dir, "vero")
	if s.CaughtUp("vero") {
		t.Error("caught up before the report is written")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := s.DrainReports(ctx, func(context.Context, []delivery.Report) error {
		cancel()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !s.CaughtUp("vero") {
		t.Error("not caught up after the report was written")
	}
}
