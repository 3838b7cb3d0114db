//go:build !linux || !(amd64 || arm64) || race

package main

import "runtime"

// sandbox says that there is none: it is for Linux, and the race detector needs more of the system.
func sandbox(bool) (onThread func() error, name string, err error) {
	return nil, "not sandboxed: this build (" + runtime.GOOS + "/" + runtime.GOARCH + ", or with the race detector) has no sandbox", nil
}

func seal() error { return nil }
