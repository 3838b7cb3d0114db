package family

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

// procResumeProcess lets a process run that was created suspended.
var procResumeProcess = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtResumeProcess")

// Tree is the process of a child and, with Options.Group, those that it starts. A job holds them
// all then; with Options.KillOrphan alone it holds the child.
type Tree struct {
	// Written by Start.
	cmd   *exec.Cmd
	group bool

	mu     sync.Mutex
	job    windows.Handle // 0: there is none, or the process has been waited for
	killed bool           // by Kill, while it ran
}

// Start starts cmd as opts say. It may replace cmd.SysProcAttr by a copy. An error means that
// nothing is left of what was started.
func (t *Tree) Start(cmd *exec.Cmd, opts Options) (err error) {
	t.cmd, t.group = cmd, opts.Group
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
	inJob := opts.KillOrphan || opts.Group
	if !inJob && opts.AtStart == nil {
		return cmd.Start()
	}
	if inJob {
		if t.job, err = newJob(opts.KillOrphan, opts.Group); err != nil {
			return err
		}
	}
	// It is started suspended, so that it enters the job before it can start anything itself.
	staysSuspended := attr.CreationFlags&windows.CREATE_SUSPENDED != 0 // the caller wants it so
	attr.CreationFlags |= windows.CREATE_SUSPENDED
	cmd.SysProcAttr = &attr
	if err = cmd.Start(); err != nil {
		t.closeJob()
		return err
	}
	if opts.AtStart != nil {
		err = opts.AtStart(cmd.Process.Pid) // first: a job that it makes is around ours
	}
	if err == nil {
		err = enterJob(t.job, cmd.Process.Pid, !staysSuspended)
	}
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		t.closeJob()
	}
	return err
}

func (t *Tree) closeJob() {
	if t.job != 0 {
		windows.CloseHandle(t.job)
		t.job = 0
	}
}

// newJob makes a job. With killOrphans its processes die with this one. With group what a process
// in it starts is in it, too.
func newJob(killOrphans, group bool) (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, os.NewSyscallError("CreateJobObject", err)
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	if killOrphans {
		// When this process dies the system closes our handle of the job, which is the only one.
		limits.BasicLimitInformation.LimitFlags |= windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	}
	if !group {
		limits.BasicLimitInformation.LimitFlags |= windows.JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		windows.CloseHandle(job)
		return 0, os.NewSyscallError("SetInformationJobObject", err)
	}
	return job, nil
}

// enterJob puts a suspended process into a job, if there is one, and has it run if resume is set.
// It comes before Cmd.Wait, so the number is that of no other process.
func enterJob(job windows.Handle, pid int, resume bool) error {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE|windows.PROCESS_SUSPEND_RESUME, false, uint32(pid))
	if err != nil {
		return os.NewSyscallError("OpenProcess", err)
	}
	defer windows.CloseHandle(process)
	if job != 0 {
		if err := windows.AssignProcessToJobObject(job, process); err != nil {
			return os.NewSyscallError("AssignProcessToJobObject", err)
		}
	}
	if !resume {
		return nil
	}
	if status, _, _ := procResumeProcess.Call(uintptr(process)); status != 0 {
		return fmt.Errorf("procspawn: the new process cannot be resumed: %w", windows.NTStatus(status))
	}
	return nil
}

// Wait is Cmd.Wait. It calls exited as soon as the process has, and kills what is left of the group
// then.
func (t *Tree) Wait(exited func()) error {
	err := t.cmd.Wait()
	defer exited()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.job != 0 && t.group {
		windows.TerminateJobObject(t.job, killedCode)
	}
	t.closeJob()
	return err
}

// Terminate would ask the process to exit: there is no way to.
func (t *Tree) Terminate() error {
	return fmt.Errorf("procspawn: no signal can be sent on Windows: %w", errors.ErrUnsupported)
}

// killedCode is the exit code of a process that a job has killed. That of os.Process.Kill is the
// same.
const killedCode = 1

// Kill ends the process at once, with its group.
func (t *Tree) Kill() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.cmd.Process.Kill()
	t.killed = err == nil || t.killed
	if t.job != 0 && t.group {
		windows.TerminateJobObject(t.job, killedCode)
	}
	return err
}

// WhileOwn would call f while the number of the process is its own. Nobody asks here.
func (t *Tree) WhileOwn(func()) {}

// HasExited reports whether the process has exited, be it waited for or not.
func (t *Tree) HasExited() bool { return hasExited(t.cmd.Process.Pid) }

// Status says, after Wait, how the process has ended: its exit code, or -1 and os.Kill if Kill has
// ended it, which its exit code does not tell.
func (t *Tree) Status() (code int, sig os.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.killed {
		return -1, os.Kill
	}
	return t.cmd.ProcessState.ExitCode(), nil
}
