package sentinel

import (
	"syscall"
	"unsafe"
)

const prGetPdeathsig = 2 // PR_GET_PDEATHSIG

// deathSignal returns the signal that this thread gets when its parent dies, 0 if none.
func deathSignal() (sig int32, err syscall.Errno) {
	_, _, err = syscall.RawSyscall(syscall.SYS_PRCTL, prGetPdeathsig, uintptr(unsafe.Pointer(&sig)), 0)
	return sig, err
}
