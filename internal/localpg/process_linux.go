package localpg

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// attributes let the server run as the account, in a process group of its own
// so that Ctrl-C in the terminal reaches us alone, and shut down if we die.
func attributes(a *account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: a.credential(), Setpgid: true, Pdeathsig: syscall.SIGINT}
}

// commandLine returns the words that a process was started with, separated by
// spaces, or "" if there is no such process.
func commandLine(_ context.Context, pid int) string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(raw), "\x00", " ")
}
