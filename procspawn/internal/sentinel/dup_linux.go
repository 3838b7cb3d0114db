package sentinel

import "syscall"

// dup2 is for where Linux has no system call of this name.
func dup2(from, to int) error { return syscall.Dup3(from, to, 0) }
