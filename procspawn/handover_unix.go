//go:build unix

package procspawn

import (
	"os"
	"os/exec"

	"github.com/viaduct-go/viaduct/procspawn/internal/sentinel"
)

// childEnd is the end of a pipe that a child inherits.
type childEnd = *os.File

// newPipes makes the two pipes of a link. os.Pipe sees to it that no process
// started meanwhile inherits them.
func newPipes() (parent *pipeConn, childRead, childWrite childEnd, err error) {
	pr, cw, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, err
	}
	cr, pw, err := os.Pipe()
	if err != nil {
		closeAll(pr, cw)
		return nil, nil, nil, err
	}
	return &pipeConn{r: pr, w: pw}, cr, cw, nil
}

// newStdioPipes is newPipes for a child that takes its ends for standard input and output.
func newStdioPipes() (parent *pipeConn, childRead, childWrite *os.File, err error) { return newPipes() }

// newCrashPipe makes a pipe for the crash output of a child.
func newCrashPipe() (parent *os.File, child childEnd, err error) { return os.Pipe() }

// newOutPipe makes a pipe for what a child prints.
func newOutPipe() (parent, child *os.File, err error) { return os.Pipe() }

// newInPipe makes a pipe for what a child reads.
func newInPipe() (parent, child *os.File, err error) {
	child, parent, err = os.Pipe()
	return parent, child, err
}

// handOver has the child of cmd inherit ends, behind the caller's own files,
// which keep their numbers, and returns the sentinel that says so.
func handOver(cmd *exec.Cmd, ends ...childEnd) (words [2]string, err error) {
	files := cmd.ExtraFiles[:len(cmd.ExtraFiles):len(cmd.ExtraFiles)]
	var fds []int
	for _, end := range ends {
		fds = append(fds, 3+len(files)) // 0 to 2 are the standard ones
		files = append(files, end)
	}
	cmd.ExtraFiles = files
	return sentinel.Words(fds...), nil
}
