//go:build !linux

package examples_test

import "testing"

// countOrphans cannot count here: that nobody holds stdout any more, which run
// waits for, has to do.
func countOrphans(_ *testing.T, f func()) (n int, known bool) {
	f()
	return 0, false
}
