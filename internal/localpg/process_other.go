//go:build unix && !linux

package localpg

import (
	"context"
	"os/exec"
	"strconv"
	"syscall"
)

// attributes let the server run as the account, in a process group of its own
// so that Ctrl-C in the terminal reaches us alone.
func attributes(a *account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: a.credential(), Setpgid: true}
}

// commandLine returns the words that a process was started with, separated by
// spaces, or "" if there is no such process.
func commandLine(ctx context.Context, pid int) string {
	out, err := exec.CommandContext(ctx, "ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return string(out)
}
