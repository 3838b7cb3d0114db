//go:build !linux

// Package affinity starts programs on some of the processors alone.
package affinity

import (
	"errors"
	"os/exec"
)

// Supported says whether programs can be pinned on this system.
const Supported = false

// Pick is for Linux alone.
func Pick(int) ([]int, error) { return nil, errors.ErrUnsupported }

// Start is for Linux alone.
func Start(*exec.Cmd, []int) error { return errors.ErrUnsupported }
