//go:build !race

package main

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

// loading is what only this architecture has, and a program needs until it runs.
var loading = []uint32{unix.SYS_ARCH_PRCTL, unix.SYS_ACCESS, unix.SYS_READLINK}
