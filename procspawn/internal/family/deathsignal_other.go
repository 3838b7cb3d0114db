//go:build unix && !linux && !freebsd

package family

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
)

func setDeathSignal(_ *syscall.SysProcAttr, opts Options) error {
	if opts.KillOrphan {
		return fmt.Errorf("procspawn: %s cannot kill a child when its parent dies (KillWithParent): %w", runtime.GOOS, errors.ErrUnsupported)
	}
	return nil
}

func hasDeathSignal(*syscall.SysProcAttr) bool { return false }

var starter starterThread

// starterThread stands for the thread that parent-death signals need.
type starterThread struct{}

func (*starterThread) start(f func() error) error { return f() }
func (*starterThread) release()                   {}
