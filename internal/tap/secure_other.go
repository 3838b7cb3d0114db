//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package tap

func isSecure() bool { return false }
