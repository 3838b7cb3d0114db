//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package tap

import "golang.org/x/sys/unix"

// isSecure reports what the kernel has noted of this process when it was executed.
func isSecure() bool { return unix.Issetugid() }
