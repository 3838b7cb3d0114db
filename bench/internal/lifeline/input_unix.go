//go:build unix

package lifeline

import (
	"os"
	"syscall"
	"time"
)

// input returns standard input as a file that is waited for without a thread.
func input() *os.File {
	if os.Stdin.SetReadDeadline(time.Time{}) == nil {
		return os.Stdin // which is one, as this process's parent has made it one
	}
	if err := syscall.SetNonblock(0, true); err != nil {
		return os.Stdin
	}
	return os.NewFile(0, "stdin")
}
