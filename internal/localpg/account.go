package localpg

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that the server runs as. nil means: as we do.
type account struct {
	name     string
	uid, gid uint32
}

// unprivileged returns the account to run as: nil, unless we are root.
func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read user id of %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read group id of %s: %w", name, err)
		}
		return &account{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("postgres does not run as root, and there is neither a user postgres nor nobody; run as another user")
}

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// dir makes the server's directory and gives it to the account. It returns
// another directory than the one asked for where the account cannot reach that.
func (a *account) dir(asked string) (string, error) {
	dir, err := filepath.Abs(asked)
	if err != nil {
		return "", err
	}
	if a == nil {
		return dir, os.MkdirAll(dir, 0o700)
	}
	// MkdirAll makes the parents too, so these must be open to the account.
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	if !a.reaches(filepath.Dir(dir)) {
		sum := sha256.Sum256([]byte(dir))
		dir = fmt.Sprintf("/var/tmp/verobridge-postgres-%x", sum[:4])
		if info, err := os.Lstat(dir); err == nil && !a.owns(info) {
			return "", fmt.Errorf("user %s cannot reach %s, and %s belongs to somebody else; choose a directory outside of /root",
				a.name, asked, dir)
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return "", err
	}
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(a.uid), int(a.gid))
	})
	return dir, err
}

// reaches says whether the account may enter dir and all that is above it.
func (a *account) reaches(dir string) bool {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	for {
		info, err := os.Stat(real)
		if err != nil || !a.enters(info) {
			return false
		}
		parent := filepath.Dir(real)
		if parent == real {
			return true
		}
		real = parent
	}
}

func (a *account) enters(info os.FileInfo) bool {
	stat := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case stat.Uid == a.uid:
		return mode&0o100 != 0
	case stat.Gid == a.gid:
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}

func (a *account) owns(info os.FileInfo) bool {
	return info.IsDir() && info.Sys().(*syscall.Stat_t).Uid == a.uid
}
