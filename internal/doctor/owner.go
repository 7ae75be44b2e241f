package doctor

import (
	"os"
	"syscall"
)

// owner returns the number of the user to whom a file belongs.
func owner(info os.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}
