package family

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Executed reports whether this program, which was given no link, was executed by a child of
// viaduct in its own place. The signal that a child gets when its parent dies survives exec, and
// not fork, and nobody else asks for SIGCONT. It belongs to a thread: to the first one of the
// process, if exec was called there. So this is to be called in init, which runs on that.
//
// It is false if there are descriptors that may be the link's. A program that does not use viaduct
// has executed this one then, a shell for instance, and has not handed on what names them.
func Executed() bool {
	var sig int32
	err := unix.Prctl(unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&sig)), 0, 0, 0)
	return err == nil && unix.Signal(sig) == unix.SIGCONT && !inheritsPipes()
}

// inheritsPipes reports whether there is a pipe to read from and one to write to besides the
// standard streams.
func inheritsPipes() bool {
	reads, writes := false, false
	for fd := 3; fd < 1024; fd++ {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			continue
		}
		mode := flags & unix.O_ACCMODE
		reads = reads || mode != unix.O_WRONLY
		writes = writes || mode != unix.O_RDONLY
	}
	return reads && writes
}
