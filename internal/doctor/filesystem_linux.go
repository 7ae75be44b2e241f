package doctor

import "golang.org/x/sys/unix"

// Why a file system is a risk for what must survive.
const (
	inMemory  = "what it holds is gone when the machine stops"
	inLayer   = "what it holds is gone with the container"
	onNetwork = "it hangs and fails with its server, and may take what is not on disk for synced"
)

// fileSystemOf returns the kind of file system that a path is on, and why it is a
// risk, or "".
func fileSystemOf(path string) (kind, risk string, err error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return "", "", err
	}
	kind, risk = riskOf(int64(stat.Type)) //nolint:unconvert // the type differs between processors
	return kind, risk, nil
}

// riskOf knows file systems by the number that statfs(2) has for them.
func riskOf(number int64) (kind, risk string) {
	switch number {
	case unix.TMPFS_MAGIC:
		return "tmpfs", inMemory
	case unix.RAMFS_MAGIC:
		return "ramfs", inMemory
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlay", inLayer
	case unix.NFS_SUPER_MAGIC:
		return "NFS", onNetwork
	case unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return "SMB", onNetwork
	case unix.V9FS_MAGIC:
		return "9p", onNetwork
	case unix.FUSE_SUPER_MAGIC:
		return "FUSE", "whether it keeps what is synced depends on the program behind it"
	default:
		return "", ""
	}
}
