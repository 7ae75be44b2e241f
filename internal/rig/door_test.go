package rig

import (
	"net/http"
	"testing"
)

// A door that is closed refuses, and answers at the same address when it is open
// again.
func TestDoor(t *testing.T) {
	t.Parallel()
	d, err := OpenDoor(t.Context(), http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	url := d.URL()
	for range 2 {
		if answer, err := http.Get(url); err != nil { //nolint:noctx // the test's own door
			t.Error(err)
		} else {
			_ = answer.Body.Close()
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if answer, err := http.Get(url); err == nil { //nolint:noctx // the test's own door
			_ = answer.Body.Close()
			t.Error("a door that is closed answers")
		}
		if err := d.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if d.URL() != url {
		t.Errorf("the door has moved from %s to %s", url, d.URL())
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
