package doctor

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestRiskOfFileSystems(t *testing.T) {
	t.Parallel()
	for number, want := range map[int64]struct{ kind, risk string }{
		unix.EXT4_SUPER_MAGIC:      {},
		unix.XFS_SUPER_MAGIC:       {},
		unix.BTRFS_SUPER_MAGIC:     {},
		unix.TMPFS_MAGIC:           {"tmpfs", inMemory},
		unix.OVERLAYFS_SUPER_MAGIC: {"overlay", inLayer},
		unix.NFS_SUPER_MAGIC:       {"NFS", onNetwork},
		unix.CIFS_SUPER_MAGIC:      {"SMB", onNetwork},
	} {
		if kind, risk := riskOf(number); kind != want.kind || risk != want.risk {
			t.Errorf("%#x is %q, %q; want %q, %q", number, kind, risk, want.kind, want.risk)
		}
	}
}

// What every Linux has at /proc is a file system that can be told, and no risk is
// known of it.
func TestFileSystemOf(t *testing.T) {
	t.Parallel()
	if kind, risk, err := fileSystemOf("/proc"); err != nil || kind != "" || risk != "" {
		t.Errorf("/proc is %q, %q, %v", kind, risk, err)
	}
	if _, _, err := fileSystemOf("/nowhere"); err == nil {
		t.Error("no error of a path that is not there")
	}
}
