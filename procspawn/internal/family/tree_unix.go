//go:build unix

package family

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// Tree is the process of a child and, with Options.Group, the group of those that it starts.
type Tree struct {
	// Written by Start.
	cmd    *exec.Cmd
	group  bool           // it has a process group of its own
	cgroup *os.File       // that is killed with the group; nil: there is none
	thread *starterThread // that has started it, and which Wait releases; nil: that of the caller

	mu   sync.Mutex
	gone bool // the process may have been waited for: its number may be another's
}

// Start starts cmd as opts say. It replaces cmd.SysProcAttr by a copy. An error means that nothing
// was started.
func (t *Tree) Start(cmd *exec.Cmd, opts Options) error {
	t.cmd = cmd
	var attr syscall.SysProcAttr
	if cmd.SysProcAttr != nil {
		attr = *cmd.SysProcAttr
	} else if _, err := os.Stat(cmd.Dir); cmd.Dir != "" && err != nil {
		// Cmd.Start looks only where there are no attributes.
		return &os.PathError{Op: "chdir", Path: cmd.Dir, Err: errors.Unwrap(err)}
	}
	if t.group = opts.Group; t.group {
		if attr.Pgid != 0 {
			return fmt.Errorf("procspawn: Options.Group gives the child a process group of its own, and SysProcAttr.Pgid puts it into group %d: set one of them", attr.Pgid)
		}
		attr.Setpgid = !attr.Setsid // the leader of a session has a group of its own anyway
	}
	err := setDeathSignal(&attr, opts)
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &attr
	start := cmd.Start
	if opts.AtStart != nil {
		start = func() error { return startStopped(cmd, opts.AtStart) }
	}
	if opts.Cgroup != nil {
		t.cgroup = opts.Cgroup
		start = inCgroup(&attr, opts.Cgroup, start)
	}
	switch {
	case opts.OnThread != nil:
		// Package os finds out once what the kernel can do for it, and is to do so where nothing is
		// forbidden yet: it would do without descriptors of processes from then on.
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			self.Release()
		}
		t.thread = new(starterThread)
		start = after(opts.OnThread, start)
	case hasDeathSignal(&attr):
		t.thread = &starter
	default:
		return start()
	}
	return t.thread.start(start)
}

// after returns a function that calls start if first, which is Options.OnThread of the caller, has
// not failed.
func after(first, start func() error) func() error {
	return func() error {
		if err := first(); err != nil {
			return fmt.Errorf("procspawn: nothing was started, because Options.OnThread has failed: %w", err)
		}
		return start()
	}
}

// Wait is Cmd.Wait. It calls exited as soon as the process has, and kills what is left of the group
// then.
func (t *Tree) Wait(exited func()) error {
	early := awaitExit(t.cmd.Process.Pid) // the process keeps its number, which is the group's
	if early {
		if t.group {
			t.killGroup()
		}
		exited()
	}
	if early || !t.group {
		t.leave()
	}
	err := t.cmd.Wait()
	if !early {
		if t.group {
			// The number of a group is not given out again while it has members.
			syscall.Kill(-t.cmd.Process.Pid, syscall.SIGKILL)
			killCgroup(t.cgroup)
			t.leave()
		}
		exited()
	}
	if t.thread != nil {
		t.thread.release()
	}
	return err
}

// leave notes that the number of the process is no longer its own.
func (t *Tree) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gone = true
}

// WhileOwn calls f while the number of the process is its own, or not at all. Wait does not get on
// meanwhile.
func (t *Tree) WhileOwn(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.gone && t.cmd.Process != nil {
		f()
	}
}

// signalGroup sends sig to the group while that is ours.
func (t *Tree) signalGroup(sig syscall.Signal) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return os.ErrProcessDone
	}
	return syscall.Kill(-t.cmd.Process.Pid, sig)
}

// Terminate asks the process to exit, by SIGTERM. One that is stopped is woken, or it would not
// hear of it.
func (t *Tree) Terminate() error {
	send := t.cmd.Process.Signal
	if t.group {
		send = func(sig os.Signal) error { return t.signalGroup(sig.(syscall.Signal)) }
	}
	if err := send(syscall.SIGTERM); err != nil {
		return err
	}
	return unlessDone(send(syscall.SIGCONT))
}

// Kill ends the process at once, with its group.
func (t *Tree) Kill() error {
	if t.group && t.killGroup() {
		return unlessDone(t.cmd.Process.Kill())
	}
	return t.cmd.Process.Kill()
}

// killGroup kills all that is in the group, and in the control group, while they are ours, and
// reports whether it has.
func (t *Tree) killGroup() bool {
	err := t.signalGroup(syscall.SIGKILL)
	if err != os.ErrProcessDone {
		killCgroup(t.cgroup)
	}
	return err == nil
}

// unlessDone returns err unless it says that the process has ended: a signal before this one has
// seen to it.
func unlessDone(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// HasExited reports whether the process has exited, be it waited for or not. False may mean that
// the system does not tell.
func (t *Tree) HasExited() bool { return hasExited(t.cmd.Process.Pid) }

// Status says, after Wait, how the process has ended: its exit code, or -1 and the signal.
func (t *Tree) Status() (code int, sig os.Signal) {
	if ws, ok := t.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return -1, ws.Signal()
	}
	return t.cmd.ProcessState.ExitCode(), nil
}
