//go:build !linux && !windows

package procspawn

// awaitExit would wait for a child's exit without taking its number from it, which only Linux can do.
func awaitExit(int) bool { return false }

// hasExited would report whether a child has exited before Cmd.Wait says so.
func hasExited(int) bool { return false }
