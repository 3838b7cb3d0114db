//go:build !unix && !windows

package limits

import "os/exec"

const (
	keepsMemory    = false
	keepsCPU       = false
	keepsProcesses = false
	keepsFiles     = false
	keepsNice      = false
	keepsCgroup    = false

	leastProcesses = 1
)

// system keeps nothing: no processes are started here.
type system struct{}

func (*system) undo()       {}
func (*system) close()      {}
func (*system) held() int64 { return 0 }

func (g *Guard) prepare(*exec.Cmd) error      { return nil }
func (g *Guard) watches() bool                { return false }
func (g *Guard) AtStart() func(pid int) error { return nil }

func (*system) judge(*Config, *Outcome) Reached { return Reached{} }
