//go:build !linux

package family

// Executed would report whether this program was executed by a child of viaduct in its own place.
// Only Linux tells.
func Executed() bool { return false }
