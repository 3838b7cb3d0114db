//go:build !linux

package limits

// CatchCPU has nothing to do: no other system tells a process that its CPU time is used up and
// leaves it some.
func CatchCPU() {}
