//go:build !linux

package tap

func isSecure() bool { return false }
