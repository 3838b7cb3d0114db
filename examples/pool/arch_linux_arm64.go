//go:build !race

package main

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// loading is what only this architecture has, and a program needs until it runs.
var loading []uint32
