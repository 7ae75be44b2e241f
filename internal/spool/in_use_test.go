package spool

import (
	"log/slog"
	"os"
	"testing"
)

func TestInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := func(when string, want bool) {
		t.Helper()
		if got, err := InUse(dir); err != nil || got != want {
			t.Errorf("%s it is %t (%v), want %t", when, got, err, want)
		}
	}
	want("before the first start", false)
	if made, err := os.ReadDir(dir); err != nil || len(made) > 0 {
		t.Errorf("%v was made (%v)", made, err)
	}
	s, err := Open(t.Context(), Options{Dir: dir, Destinations: []string{"vero"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	want("while it is open", true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want("when it is closed", false)
}
