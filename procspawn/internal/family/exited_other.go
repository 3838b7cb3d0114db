//go:build unix && !linux

package family

// awaitExit would wait for a child's exit without taking its number from it. Only Linux can do so.
func awaitExit(int) bool { return false }

// hasExited would report whether a child has exited before Cmd.Wait says so.
func hasExited(int) bool { return false }
