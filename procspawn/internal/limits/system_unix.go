//go:build unix && !linux && !darwin

package limits

import "os/exec"

const (
	keepsMemory    = false
	keepsCPU       = false
	keepsProcesses = false
	keepsFiles     = false
	keepsNice      = true
	keepsCgroup    = false

	leastProcesses = 1
)

// system keeps nothing here.
type system struct{}

func (*system) undo()       {}
func (*system) close()      {}
func (*system) held() int64 { return 0 }

func (g *Guard) prepare(*exec.Cmd) error { return nil }
func (g *Guard) watches() bool           { return false }

// AtStart returns what is to be called when the process has been started; nil if nothing is.
func (g *Guard) AtStart() func(pid int) error {
	if g.cfg.Nice == 0 {
		return nil
	}
	return g.cfg.setNice
}

// judge has nothing to say: the system kills nobody for a limit.
func (*system) judge(*Config, *Outcome) Reached { return Reached{} }
