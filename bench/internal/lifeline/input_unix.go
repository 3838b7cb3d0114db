//go:build unix

package lifeline

import (
	"os"
	"syscall"
)

// input returns standard input as a file that is waited for without a thread.
func input() *os.File {
	if err := syscall.SetNonblock(0, true); err != nil {
		return os.Stdin
	}
	return os.NewFile(0, "stdin")
}
