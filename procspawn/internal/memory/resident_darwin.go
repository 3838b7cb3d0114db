package memory

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of sys/syscall.h and sys/proc_info.h.
const (
	sysProcInfo         = 336
	procInfoCallPidInfo = 2
	procPidTaskInfo     = 4
	sizeofTaskInfo      = 96
)

// Resident returns how much memory a process holds now, in bytes: pti_resident_size of its
// proc_taskinfo.
func Resident(pid int) (int64, error) {
	var info [sizeofTaskInfo / 8]uint64
	n, _, errno := unix.Syscall6(sysProcInfo, procInfoCallPidInfo, uintptr(pid), procPidTaskInfo, 0, uintptr(unsafe.Pointer(&info)), sizeofTaskInfo)
	if errno != 0 {
		return 0, errno
	}
	if n != sizeofTaskInfo {
		return 0, fmt.Errorf("proc_info has returned %d bytes, %d were expected", n, sizeofTaskInfo)
	}
	return int64(info[1]), nil
}
