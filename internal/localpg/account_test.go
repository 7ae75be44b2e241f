package localpg

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAccountReaches(t *testing.T) {
	t.Parallel()
	open := tempDir(t)
	closed := filepath.Join(open, "closed")
	below := filepath.Join(closed, "below")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(open, "link")
	if err := os.Symlink(below, link); err != nil {
		t.Fatal(err)
	}
	stranger := &account{name: "stranger", uid: 4000000001, gid: 4000000001}
	owner := &account{name: "owner", uid: uint32(os.Getuid()), gid: uint32(os.Getgid())}
	for _, c := range []struct {
		name string
		a    *account
		dir  string
		want bool
	}{
		{"an open directory", stranger, open, true},
		{"a closed one", stranger, closed, false},
		{"an open one below a closed one", stranger, below, false},
		{"a link to that", stranger, link, false},
		{"its owner", owner, below, true},
		{"none", owner, filepath.Join(open, "none"), false},
	} {
		if got := c.a.reaches(c.dir); got != c.want {
			t.Errorf("%s: reaches = %v, want %v", c.name, got, c.want)
		}
	}
}
