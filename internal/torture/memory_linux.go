package torture

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// peakMemory returns the most memory that a process has had since its start, in
// bytes (proc(5), VmHWM).
func peakMemory(pid int) (int64, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if text, found := strings.CutPrefix(lines.Text(), "VmHWM:"); found {
			var kib int64
			_, err := fmt.Sscanf(text, "%d kB", &kib)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no VmHWM", file.Name())
}
