//go:build 386 || arm

package limits

import "golang.org/x/sys/unix"

// The others take ids of 16 bits.
const (
	setresuid = unix.SYS_SETRESUID32
	setresgid = unix.SYS_SETRESGID32
)
