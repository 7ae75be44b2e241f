//go:build unix

package siege

import (
	"fmt"
	"syscall"
)

func yield() error {
	const self, least = 0, 19
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, self, least); err != nil {
		return fmt.Errorf("lower the priority of an attacker: %w", err)
	}
	return nil
}
