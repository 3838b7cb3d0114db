//go:build !linux

package rpctest

// The system does not tell, or not without programs of its own.
func descriptors() map[string]string { return nil }
func processes() map[string]string   { return nil }
