//go:build !unix && !windows

package family

import (
	"errors"
	"os"
	"os/exec"
)

// Tree stands for the process of a child. There are none here.
type Tree struct{}

func (*Tree) Start(*exec.Cmd, Options) error { return errors.ErrUnsupported }
func (*Tree) Wait(func()) error              { return errors.ErrUnsupported }
func (*Tree) Terminate() error               { return errors.ErrUnsupported }
func (*Tree) Kill() error                    { return errors.ErrUnsupported }
func (*Tree) WhileOwn(func())                {}
func (*Tree) HasExited() bool                { return false }
func (*Tree) Status() (int, os.Signal)       { return -1, nil }
