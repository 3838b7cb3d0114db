//go:build !386 && !arm

package limits

import "golang.org/x/sys/unix"

const (
	setresuid = unix.SYS_SETRESUID
	setresgid = unix.SYS_SETRESGID
)
