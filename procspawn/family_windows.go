package procspawn

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// family is the process of a child and, if Options.Group asks for it, those
// that it starts. A job holds them, and with Options.ParentDeath KillWithParent the child.
type family struct {
	cmd   *exec.Cmd
	group bool

	mu     sync.Mutex
	job    windows.Handle // 0: none, or the process has been waited for
	killed bool           // while it ran
}

// start starts cmd in a way that lets the system and us end it as opts say.
func (f *family) start(cmd *exec.Cmd, opts *Options) (err error) {
	f.cmd, f.group = cmd, opts.group()
	var attr syscall.SysProcAttr
	if cmd.SysProcAttr != nil {
		attr = *cmd.SysProcAttr
	}
	if attr.CmdLine != "" {
		return errors.New("procspawn: SysProcAttr.CmdLine takes the place of Cmd.Args, which tell the child of its link: give Args alone")
	}
	if _, err := os.Stat(cmd.Dir); cmd.Dir != "" && err != nil {
		// Cmd.Start looks only where there are no attributes.
		return &os.PathError{Op: "chdir", Path: cmd.Dir, Err: errors.Unwrap(err)}
	}
	die := opts.parentDeath() == KillWithParent
	if !die && !f.group {
		return cmd.Start()
	}
	if f.job, err = newJob(die, f.group); err != nil {
		return err
	}
	// It enters the job before it can start anything.
	sleeps := attr.CreationFlags&windows.CREATE_SUSPENDED != 0 // because the caller wants it to
	attr.CreationFlags |= windows.CREATE_SUSPENDED
	cmd.SysProcAttr = &attr
	if err = cmd.Start(); err != nil {
		windows.CloseHandle(f.job)
		return err
	}
	if err = enterJob(f.job, cmd.Process.Pid, !sleeps); err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		windows.CloseHandle(f.job)
	}
	return err
}

// newJob makes a job whose processes die with this one, if die is set. What a process in it
// starts is in it, too, if whole is set.
func newJob(die, whole bool) (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, os.NewSyscallError("CreateJobObject", err)
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	if die {
		// The system closes our handle, which is the only one.
		limits.BasicLimitInformation.LimitFlags |= windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	}
	if !whole {
		limits.BasicLimitInformation.LimitFlags |= windows.JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		windows.CloseHandle(job)
		return 0, os.NewSyscallError("SetInformationJobObject", err)
	}
	return job, nil
}

// enterJob puts a suspended process into a job and has it run. Its number is
// its own as long as Cmd.Wait has not been called.
func enterJob(job windows.Handle, pid int, resume bool) error {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE|windows.PROCESS_SUSPEND_RESUME, false, uint32(pid))
	if err != nil {
		return os.NewSyscallError("OpenProcess", err)
	}
	defer windows.CloseHandle(process)
	if err := windows.AssignProcessToJobObject(job, process); err != nil {
		return os.NewSyscallError("AssignProcessToJobObject", err)
	}
	if !resume {
		return nil
	}
	if status, _, _ := procResumeProcess.Call(uintptr(process)); status != 0 {
		return fmt.Errorf("procspawn: the new process cannot be resumed: %w", windows.NTStatus(status))
	}
	return nil
}

// wait is Cmd.Wait. It calls exited as soon as the process has, and kills what is left of the group then.
func (f *family) wait(exited func()) error {
	err := f.cmd.Wait()
	defer exited()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.job != 0 {
		if f.group {
			windows.TerminateJobObject(f.job, killedCode)
		}
		windows.CloseHandle(f.job)
		f.job = 0
	}
	return err
}

// terminate would ask the child to exit: there is no way to.
func (f *family) terminate() error {
	return fmt.Errorf("procspawn: no signal can be sent on Windows: %w", errors.ErrUnsupported)
}

// killedCode is the exit code of a process that was killed, as os.Process.Kill has it.
const killedCode = 1

// kill ends the child at once.
func (f *family) kill() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.cmd.Process.Kill()
	f.killed = err == nil || f.killed
	if f.job != 0 && f.group {
		windows.TerminateJobObject(f.job, killedCode)
	}
	return err
}

// status says how the process has ended. An exit code does not tell that it was killed.
func (f *family) status() (code int, sig os.Signal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.killed {
		return -1, os.Kill
	}
	return f.cmd.ProcessState.ExitCode(), nil
}
