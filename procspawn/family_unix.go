//go:build unix

package procspawn

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// family is the process of a child and, if Options.Group asks for it, the
// group of those that it starts.
type family struct {
	cmd   *exec.Cmd
	group bool // it has a process group of its own
	bound bool // it holds the starter

	mu   sync.Mutex
	gone bool // the process may have been waited for: its number may be another's
}

// start starts cmd in a way that lets the system and us end it as opts say.
func (f *family) start(cmd *exec.Cmd, opts *Options) error {
	f.cmd = cmd
	var attr syscall.SysProcAttr
	if cmd.SysProcAttr != nil {
		attr = *cmd.SysProcAttr
	} else if _, err := os.Stat(cmd.Dir); cmd.Dir != "" && err != nil {
		// Cmd.Start looks only where there are no attributes.
		return &os.PathError{Op: "chdir", Path: cmd.Dir, Err: errors.Unwrap(err)}
	}
	if f.group = opts.group(); f.group {
		if attr.Pgid != 0 {
			return fmt.Errorf("procspawn: Options.Group gives the child a process group of its own, and SysProcAttr.Pgid puts it into group %d: set one of them", attr.Pgid)
		}
		attr.Setpgid = !attr.Setsid // whose leader has one, too
	}
	err := setDeathSignal(&attr, opts.parentDeath())
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &attr
	if f.bound = hasDeathSignal(&attr); f.bound {
		return starter.start(cmd.Start)
	}
	return cmd.Start()
}

// wait is Cmd.Wait. It calls exited as soon as the process has, and kills what is left of the group then.
func (f *family) wait(exited func()) error {
	early := awaitExit(f.cmd.Process.Pid) // and the process keeps its number, which is the group's
	if early {
		if f.group {
			f.signalGroup(syscall.SIGKILL)
		}
		exited()
	}
	if early || !f.group {
		f.leave()
	}
	err := f.cmd.Wait()
	if !early {
		if f.group {
			// The number of a group is not given out again while it has members.
			syscall.Kill(-f.cmd.Process.Pid, syscall.SIGKILL)
			f.leave()
		}
		exited()
	}
	if f.bound {
		starter.release()
	}
	return err
}

func (f *family) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
}

// signalGroup sends sig to the group while that is ours.
func (f *family) signalGroup(sig syscall.Signal) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return os.ErrProcessDone
	}
	return syscall.Kill(-f.cmd.Process.Pid, sig)
}

// terminate asks the child to exit. One that is stopped is woken, or it would
// not hear of it.
func (f *family) terminate() error {
	if f.group {
		if err := f.signalGroup(syscall.SIGTERM); err != nil {
			return err
		}
		return f.signalGroup(syscall.SIGCONT)
	}
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return f.cmd.Process.Signal(syscall.SIGCONT)
}

// kill ends the child at once.
func (f *family) kill() error {
	if f.group {
		f.signalGroup(syscall.SIGKILL)
	}
	return f.cmd.Process.Kill()
}

// status takes apart what the system says about the end of the process.
func (f *family) status() (code int, sig os.Signal) {
	if ws, ok := f.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return -1, ws.Signal()
	}
	return f.cmd.ProcessState.ExitCode(), nil
}
