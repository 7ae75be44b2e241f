package main

import "testing"

// Two doors and the rest of the bridge share the files that may be open.
func TestConnectionsThatFit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wanted int
		files  uint64
		want   int
	}{
		{4096, 1 << 20, 4096},
		{4096, 2*4096 + reservedFiles, 4096},
		{4096, 1024, 384},
		{100, 1024, 100},
		{4096, 100, leastConnections},
		{4096, 1<<64 - 1, 4096}, // no limit
	} {
		if got := connectionsThatFit(c.wanted, c.files); got != c.want {
			t.Errorf("%d connections of %d files: got %d, want %d", c.wanted, c.files, got, c.want)
		}
	}
}
