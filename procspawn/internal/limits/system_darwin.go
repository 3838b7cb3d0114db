package limits

import (
	"fmt"
	"os/exec"

	"github.com/viaduct-go/viaduct/procspawn/internal/memory"
)

const (
	keepsMemory    = true
	keepsCPU       = false
	keepsProcesses = false
	keepsFiles     = false
	keepsNice      = true
	keepsCgroup    = false

	leastProcesses = 1
)

// system is what keeps limits on macOS: memory is looked at from here. What other limits there are,
// a process can only set for itself.
type system struct{ pid int }

func (*system) undo()  {}
func (*system) close() {}

func (g *Guard) prepare(*exec.Cmd) error { return nil }

// watches reports whether memory is looked at from here.
func (g *Guard) watches() bool { return g.cfg.Memory != 0 }

// AtStart returns what is to be called when the process has been started; nil if nothing is.
func (g *Guard) AtStart() func(pid int) error {
	if g.cfg.Memory == 0 && g.cfg.Nice == 0 {
		return nil
	}
	return func(pid int) error {
		g.system.pid = pid
		if _, err := memory.Resident(pid); err != nil && g.cfg.Memory != 0 {
			return fmt.Errorf("procspawn: Options.Limits.Memory: the memory of the child cannot be read: %w", err)
		}
		if g.cfg.Nice != 0 {
			return g.cfg.setNice(pid)
		}
		return nil
	}
}

func (s *system) held() int64 {
	n, _ := memory.Resident(s.pid)
	return n
}

// judge has nothing to say: the system kills nobody for a limit.
func (*system) judge(*Config, *Outcome) Reached { return Reached{} }
