package family

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// startStopped starts cmd and calls atStart before the process has executed an instruction of its
// program: it is stopped by ptrace meanwhile, whose calls must come from the thread that forks. An
// error means that nothing is left of the process.
func startStopped(cmd *exec.Cmd, atStart func(pid int) error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr.Ptrace = true
	mask, err := blockSignals()
	if err != nil {
		return err
	}
	err = cmd.Start()
	unix.PthreadSigmask(unix.SIG_SETMASK, mask, nil)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("procspawn: Options.Limits have the new process stopped by ptrace until they are set, which may not be permitted here "+
			"(kernel.yama.ptrace_scope is 3, a filter of seccomp, or a tracer that follows this process): %w", err)
	}
	if err != nil {
		return err
	}
	pid := cmd.Process.Pid
	defer func() {
		if err != nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}()
	if err := awaitExec(pid); err != nil {
		return err
	}
	if err := setSignalMask(pid, mask); err != nil {
		return err
	}
	if err := atStart(pid); err != nil {
		return err
	}
	if err := unix.PtraceDetach(pid); err != nil {
		return fmt.Errorf("procspawn: the new process cannot be let run (ptrace): %w", err)
	}
	return nil
}

// blockSignals blocks the signals of this thread but for the one that tells of exec, and returns
// what was blocked before. The child has that from it. A signal that came to it between the
// beginning of ptrace and exec would stop it for good, and Cmd.Start with it, which waits for exec.
func blockSignals() (before *unix.Sigset_t, err error) {
	var all unix.Sigset_t
	for i := range all.Val {
		all.Val[i]--
	}
	all.Val[0] &^= 1 << (unix.SIGTRAP - 1)
	before = new(unix.Sigset_t)
	return before, unix.PthreadSigmask(unix.SIG_SETMASK, &all, before)
}

// setSignalMask gives a stopped process the signals that it has blocked: those of this thread.
func setSignalMask(pid int, mask *unix.Sigset_t) error {
	const setSigmask = 0x420b // PTRACE_SETSIGMASK
	size := uintptr(8)        // of what the kernel takes for a set
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		size = 16
	}
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, setSigmask, uintptr(pid), size, uintptr(unsafe.Pointer(mask)), 0, 0)
	if errno != 0 {
		return fmt.Errorf("procspawn: the new process cannot be prepared (ptrace, which a filter of seccomp may forbid): %w", errno)
	}
	return nil
}

// awaitExec waits until a process has stopped at the first instruction of its program.
func awaitExec(pid int) error {
	for {
		var info unix.Siginfo
		// Its end, if it comes to that, is left for Cmd.Wait.
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("procspawn: the new process cannot be waited for: %w", err)
		case info.Code == cldTrapped:
			return nil
		default:
			return errors.New("procspawn: the new process has ended before its first instruction: the context of its command has ended, " +
				"or ptrace, by which it is stopped for Options.Limits, is not permitted here (a filter of seccomp)")
		}
	}
}

const cldTrapped = 4 // CLD_TRAPPED
