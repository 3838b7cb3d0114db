package family

import (
	"os"

	"golang.org/x/sys/unix"
)

// onFirstThread reports whether the caller runs on the thread by which this process has begun.
func onFirstThread() bool { return unix.Gettid() == os.Getpid() }
