//go:build !linux

package main

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
)

// asOther says that this example is for Linux.
func asOther(*exec.Cmd) (about string, err error) {
	return "", fmt.Errorf("a child of another user, which gains nothing by setuid programs, is for Linux here, and not for %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func forGood() error { return errors.ErrUnsupported }

type attempt struct {
	what string
	do   func() error
}

func attempts(string) []attempt { return nil }
