//go:build !linux

package pipes

// capacity is what the pipe holds that a Conn writes to: it is fixed on this system.
type capacity struct{}

func (*capacity) close() {}

func (*capacity) init(bool) {}
