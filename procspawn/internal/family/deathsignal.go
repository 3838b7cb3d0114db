//go:build linux || freebsd

package family

import (
	"errors"
	"syscall"
)

// setDeathSignal has the kernel send the child a signal when this process dies. SIGCONT wakes one
// that is stopped, so that it can see what has happened, and does nothing else.
func setDeathSignal(attr *syscall.SysProcAttr, opts Options) error {
	switch {
	case attr.Ptrace: // it could not say hello before somebody lets it go on
		return errors.New("procspawn: a child that SysProcAttr.Ptrace stops at its start cannot say hello: attach a tracer when Start has returned")
	case opts.KillOrphan:
		attr.Pdeathsig = syscall.SIGKILL
	case opts.WakeOrphan && attr.Pdeathsig == 0:
		attr.Pdeathsig = syscall.SIGCONT
	}
	return nil
}

func hasDeathSignal(attr *syscall.SysProcAttr) bool { return attr.Pdeathsig != 0 }
