// Package leaktest fails the tests of a package that leave a goroutine behind: one
// that nobody waits for outlives what it uses, and in a program that opens its
// spool anew they add up.
//
//	func TestMain(m *testing.M) { leaktest.Main(m) }
package leaktest

import (
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package, looks for what they left behind, and exits.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		code = Check()
	}
	os.Exit(code)
}

// Check returns an exit code: 1 if there are goroutines that should have ended, and
// says which. Those that are about to end are waited for.
func Check() int {
	// Tests ask with the default client, which keeps connections in case they ask
	// again.
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil {
		_, _ = os.Stderr.WriteString("goroutines were left behind: " + err.Error() + "\n")
		return 1
	}
	return 0
}
