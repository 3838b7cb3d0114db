//go:build !linux

package exampletest

import "testing"

// CountOrphans cannot count here: that nobody holds stdout any more, which Run
// waits for, has to do.
func CountOrphans(_ *testing.T, f func()) (n int, known bool) {
	f()
	return 0, false
}
