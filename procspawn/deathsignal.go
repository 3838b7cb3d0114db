//go:build linux || freebsd

package procspawn

import (
	"errors"
	"syscall"
)

// setDeathSignal has the kernel send the child a signal when this process
// dies. SIGCONT does nothing but wake one that is stopped, so that it can see the end of its link.
func setDeathSignal(attr *syscall.SysProcAttr, what ParentDeath) error {
	switch {
	case attr.Ptrace: // it could not say hello before somebody lets it go on
		return errors.New("procspawn: a child that SysProcAttr.Ptrace stops at its start cannot say hello: attach a tracer when Start has returned")
	case what == KillWithParent:
		attr.Pdeathsig = syscall.SIGKILL
	case what == EndWithParent && attr.Pdeathsig == 0:
		attr.Pdeathsig = syscall.SIGCONT
	}
	return nil
}

func hasDeathSignal(attr *syscall.SysProcAttr) bool { return attr.Pdeathsig != 0 }
